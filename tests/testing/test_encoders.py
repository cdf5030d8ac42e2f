"""What the checks of encoders say of what they saw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.core import Gaussian
from ebmkit.testing import check
from tests.testing.wrong.encoders import CLAIMS, OneStdForAll, ReturnsTwoTensors, Straight


class ForImages(Straight):
    """Right: refuses in time what it does not take."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3:
            raise ValueError("images")
        super().__init__(shape)


class Infinite(Straight):
    def spread(self, rows: Tensor) -> Tensor:
        return super().spread(rows) / 0


class AsManyLatentsAsExamples(Straight):
    def forward(self, x: Tensor) -> Gaussian:
        return Gaussian(*(each[:, :1].expand(-1, len(x)) for each in super().forward(x)))


class ForgetsItsSpread(Straight):
    def spread(self, rows: Tensor) -> Tensor:
        return torch.zeros_like(super().spread(rows))


@pytest.mark.parametrize(
    ("component", "name", "said"),
    [
        (Straight, "shape", "(1, 4, 4) to (3,)"),
        (Straight, "parameters", "latents"),
        (Straight, "other-shapes", "takes (), (6,), (2, 16), (3, 16, 16), (2, 3, 8, 8) of 5 others"),
        (ForImages, "other-shapes", "takes (3, 16, 16) of 5 others"),
        (Straight, "learns", "4 parameters"),
        (ReturnsTwoTensors, "shape", "forward gives a tuple; wanted a Gaussian"),
        (
            OneStdForAll,
            "shape",
            "log_std has shape (1, 1) for 1 examples; wanted (1, *L), the same for both",
        ),
        (Infinite, "shape", "log_std of ordinary examples is not finite"),
        (AsManyLatentsAsExamples, "shape", "the shape of the latents depends on the batch: {(1,), (5,)}"),
        (ForgetsItsSpread, "learns", "these parameters never learn: log_std.weight, log_std.bias"),
    ],
)
def test_what_was_seen_is_said(component: type, name: str, said: str) -> None:
    (result,) = check(component, CLAIMS, only=[name]).results
    assert result.detail == said
