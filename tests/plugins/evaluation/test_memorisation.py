from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.core import Figure, Material
from ebmkit.errors import DataError
from ebmkit_evaluation.definition import eight_bits
from ebmkit_evaluation.memorisation import Memorisation, nearest_training
from ebmkit_evaluation.pixels import Pixels
from tests.plugins.evaluation.images import noisy, smooth

TRAINING, HELD_OUT = smooth(60, 1), smooth(200, 2)


def material(generated: Tensor) -> Material:
    return Material(generated=generated, training=TRAINING, held_out=HELD_OUT, features=Pixels())


def measured(generated: Tensor) -> dict[str, Figure]:
    return {each.name: each for each in Memorisation().measure(material(generated))}


def test_copies_are_told_from_new_images_of_the_same_kind() -> None:
    """Of 300 new images 5 % are expected below the quantile: above 12 % in one of 100,000 cases."""
    new, copies = measured(smooth(300, 3)), measured(noisy(TRAINING, 0.01))
    for name in ("memorised", "memorised_pixels"):
        assert new[name].value < 0.12
        assert copies[name].value > 0.95
    for name in ("nearest_ratio", "nearest_ratio_pixels"):
        assert new[name].value == pytest.approx(1, abs=5 * (new[name].error or 0))
        assert copies[name].value < 0.5


def test_the_nearest_training_image_of_a_copy_is_the_one_it_copies() -> None:
    order = torch.arange(60).flip(0)
    for features in (True, False):
        found = nearest_training(material(noisy(TRAINING[order], 0.01)), features=features)
        assert torch.equal(found.training, order)


def test_distances_of_pixels_are_the_root_mean_square_of_8_bits() -> None:
    found = nearest_training(material(HELD_OUT[:5]), features=False)
    apart = (
        (eight_bits(HELD_OUT[:5])[:, None] - eight_bits(TRAINING)).double().square().mean((2, 3, 4)).sqrt()
    )
    assert torch.allclose(found.generated, apart.amin(1), atol=1e-7)
    assert torch.allclose(found.held_out[:5], found.generated)


def test_a_share_and_a_ratio_have_errors_of_their_kind() -> None:
    found = measured(torch.cat([TRAINING[:10], smooth(30, 3)]))["memorised"]
    assert (found.count, found.features) == (40, "pixels")
    assert found.error == pytest.approx(math.sqrt(found.value * (1 - found.value) / 40))
    ratios = [measured(smooth(100, seed))["nearest_ratio"] for seed in range(10, 22)]
    spread = float(torch.tensor([each.value for each in ratios]).std())
    stated = sum(each.error or 0 for each in ratios) / len(ratios)
    assert 0.5 < stated / spread < 3  # the held-out set, part of the stated error, is one here


def test_too_few_held_out_images_are_refused() -> None:
    with pytest.raises(DataError, match="at least 20 held-out images, and there are 19"):
        Memorisation().measure(
            Material(generated=TRAINING, training=TRAINING, held_out=HELD_OUT[:19], features=Pixels())
        )
