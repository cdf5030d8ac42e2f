from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.core import Material
from ebmkit.errors import DataError
from ebmkit_evaluation.reconstruction import Reconstruction


def off(x: Tensor) -> Tensor:
    """Wrong by 0.3 in half of the coordinates of odd examples."""
    wrong = x.clone()
    wrong[1::2, : x.shape[1] // 2] += 0.3
    return wrong


def test_it_is_the_root_mean_square_a_coordinate_averaged_over_examples() -> None:
    held_out, training = torch.zeros(120, 4), torch.zeros(200, 4)
    ours, beside = Reconstruction().measure(
        Material(generated=held_out, held_out=held_out, training=training, reconstruct=off)
    )
    each = 0.3 / math.sqrt(2)
    assert (ours.name, ours.count) == ("reconstruction", 120)
    assert ours.value == pytest.approx(each / 2)
    assert ours.error == pytest.approx(each / 2 / math.sqrt(119))
    assert (beside.name, beside.count, beside.value) == (
        "reconstruction_training",
        120,
        pytest.approx(each / 2),
    )


def test_without_training_examples_there_is_one_figure_and_a_perfect_model_has_none_wrong() -> None:
    held_out = torch.rand(7, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    (figure,) = Reconstruction().measure(
        Material(generated=held_out, held_out=held_out, reconstruct=torch.clone)
    )
    assert (figure.value, figure.error, figure.count) == (0, 0, 7)


def test_another_shape_is_refused() -> None:
    with pytest.raises(DataError, match=r"of the shape \(7, 4\) were reconstructed as \(7, 2\)"):
        Reconstruction().measure(
            Material(generated=torch.zeros(1), held_out=torch.zeros(7, 4), reconstruct=lambda x: x[:, :2])
        )
