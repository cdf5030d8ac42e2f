"""What the checks of energies refuse, and what they say of it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    Gradient,
    Gt,
    LatentGenerator,
    ValueAndGradient,
)
from ebmkit.testing import (
    EnergyClaims,
    check,
)
from ebmkit.testing.parts import TinyEnergy, TinyGenerator
from tests.testing.refusing import assert_all_look, assert_refused, checked, each_of

SHAPE = (1, 4, 4)

CLAIMS = EnergyClaims(shape=SHAPE)


class MixesRows(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) - super().forward(x).mean()


class SumsTheBatch(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sum()


class Detaches(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x.detach().square().flatten(1).sum(1)


class ForVectors(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 0 * x.flatten(1).sum(1)


class ForImages(TinyEnergy):
    """Refuses in time what it does not take."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3:
            raise ValueError("images")
        super().__init__(shape)


class Random(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.01 * torch.randn_like(x))


class NeverLearns(TinyEnergy):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.forgotten = nn.Parameter(torch.zeros(2))


class Unsaved(TinyEnergy):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.offset = torch.rand(1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.offset


class InPlace(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        x.data.mul_(0.5)
        return super().forward(x)


def test_a_generator_is_none_of_the_energies() -> None:
    assert issubclass(TinyGenerator, LatentGenerator)
    report = check(TinyGenerator, EnergyClaims(shape=SHAPE))
    assert "does not inherit from Energy" in str(report)


class Halves(TinyEnergy):
    """Knows half of its gradient."""

    def prepare(self, x: Tensor) -> Gradient:
        def gradient(x: Tensor) -> ValueAndGradient:
            y = x.detach().requires_grad_()
            with torch.enable_grad():
                value = self(y)
                (found,) = torch.autograd.grad(value.sum(), y)
            return ValueAndGradient(value.detach(), found / 2)

        return gradient


class Fills(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        self.layer.bias.grad = torch.zeros_like(self.layer.bias)
        return super().forward(x)


class OutOfRange(TinyEnergy):
    """Its own default is out of its range.

    Args:
        width: above 0.
    """

    def __init__(self, shape: tuple[int, ...], *, width: Annotated[float, Gt(0)] = 0.0) -> None:
        super().__init__(shape)
        self.width = width


WRONG = [
    (OutOfRange, CLAIMS, "parameters"),
    (MixesRows, CLAIMS, "independent-rows"),
    (SumsTheBatch, CLAIMS, "shape"),
    (ForVectors, CLAIMS, "other-shapes"),
    (SumsTheBatch, CLAIMS, "other-shapes"),
    (Detaches, CLAIMS, "gradient"),
    (Fills, CLAIMS, "value-and-gradient"),
    (Halves, CLAIMS, "prepared"),
    (Random, CLAIMS, "deterministic"),
    (NeverLearns, CLAIMS, "learns"),
    (Unsaved, CLAIMS, "state-dict"),
    (InPlace, CLAIMS, "input-unchanged"),
]


@each_of(WRONG)
def test_a_wrong_part_is_refused(component: type, claims: Any, killer: str) -> None:
    assert_refused(component, claims, killer)


def test_every_check_refuses_a_wrong_part() -> None:
    assert_all_look(WRONG, "energy")


@pytest.mark.parametrize(("component", "claims"), [(TinyEnergy, CLAIMS), (ForImages, CLAIMS)])
def test_their_right_originals_pass(component: type, claims: Any) -> None:
    report = check(component, claims)
    assert report.passed, report


SAID = [
    (SumsTheBatch, "shape", "1 examples gave energies of shape ()"),
    (NeverLearns, "learns", "these parameters never learn: forgotten"),
    (Fills, "value-and-gradient", "it filled the gradients of layer.bias"),
    (TinyEnergy, "other-shapes", "takes (), (6,), (2, 16), (3, 16, 16), (2, 3, 8, 8) of 5 others"),
    (ForImages, "other-shapes", "takes (3, 16, 16) of 5 others"),
    (TinyEnergy, "state-dict", "2 tensors"),
]


@pytest.mark.parametrize(("component", "name", "said"), SAID)
def test_what_is_wrong_is_told_with_what_was_seen(component: type, name: str, said: str) -> None:
    assert checked(component, CLAIMS, name).detail == said
