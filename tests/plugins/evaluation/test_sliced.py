from __future__ import annotations

import math

import pytest
import torch

from ebmkit.core import Figure, Material, Rng
from ebmkit.errors import DataError
from ebmkit_evaluation.sliced import Swd, sliced_distance
from tests.plugins.evaluation.images import noisy, smooth
from tests.plugins.evaluation.samples import drawn


def test_in_one_dimension_it_is_the_distance_of_the_sorted_values() -> None:
    x = drawn(50, 1, d=1)
    assert float(sliced_distance(x, x.flip(0) + 0.25, torch.ones(1, 1).double())) == pytest.approx(0.25)


def test_a_shift_is_seen_by_the_mean_cosine_of_the_directions() -> None:
    """E|cos| of a random direction in the plane is 2/π; 20,000 evenly spread ones give it to 1e-6."""
    angle = torch.arange(20_000).double() * math.pi / 20_000
    x = drawn(50, 1, d=2)
    found = sliced_distance(x, x + torch.tensor([3.0, 0.0]), torch.stack([angle.cos(), angle.sin()]))
    assert float(found) == pytest.approx(6 / math.pi, rel=1e-6)


def measured(generated: torch.Tensor, real: torch.Tensor, seed: int = 0) -> dict[str, Figure]:
    found = Swd(patches=512).measure(Material(generated=generated, real=real, rng=Rng(seed)))
    return {each.name: each for each in found}


def test_equal_sets_are_at_distance_0_at_every_scale() -> None:
    x = smooth(16, 1)
    found = measured(x, x.clone())
    assert list(found) == ["swd", "swd_32", "swd_16"]
    assert all((each.value, each.error) == (0, 0) for each in found.values())


def test_noise_is_seen_where_it_is_and_the_mean_is_that_of_the_scales() -> None:
    real, others = smooth(64, 1), smooth(64, 2)
    same, spoilt = measured(others, real), measured(noisy(others, 0.1), real)
    assert spoilt["swd_32"].value > 3 * same["swd_32"].value
    assert spoilt["swd_16"].value < 1.5 * same["swd_16"].value
    assert spoilt["swd"].value == pytest.approx((spoilt["swd_32"].value + spoilt["swd_16"].value) / 2)
    assert spoilt["swd"].count == 64


def test_it_is_a_function_of_its_stream() -> None:
    real, others = smooth(16, 1), smooth(16, 2)
    assert measured(others, real) == measured(others, real)
    assert measured(others, real) != measured(others, real, seed=1)


def test_fewer_images_than_groups_are_refused() -> None:
    with pytest.raises(DataError, match="swd needs at least 8 images, and there are 7"):
        measured(smooth(7, 1), smooth(9, 1))
