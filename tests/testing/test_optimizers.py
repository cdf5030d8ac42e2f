"""What the checks of optimizers say of what they saw."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn

from ebmkit.testing import OptimizerClaims, check
from tests.testing.wrong.optimizers import CLAIMS, Descent, Momentum, RateOfItsOwn


class _Signs(Descent):
    def move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        weight.sub_(0.25 * gradient.sign())


class _Plain(Descent):
    def move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        weight.sub_(group["lr"] * gradient)


class _Matrices(_Plain):
    def move(self, weight: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        if weight.ndim > 1:
            super().move(weight, gradient, group)


@attrs.frozen(kw_only=True)
class QuartersWhateverTheRate(Momentum):
    algorithm = _Signs


@attrs.frozen(kw_only=True)
class Plain(Momentum):
    """Right: w ← w - rate g."""

    algorithm = _Plain


@attrs.frozen(kw_only=True)
class MatricesAlone(Momentum):
    algorithm = _Matrices


@pytest.mark.parametrize(
    ("component", "name", "said"),
    [
        (RateOfItsOwn, "rate", "its groups begin at [0.001]; wanted 0.05"),
        (QuartersWhateverTheRate, "rate", "at the rate 0 a weight moves by 0.5"),  # in two steps
        (MatricesAlone, "descends", "weights of shape (3,), () never move"),
        (Momentum, "resume", "1 tensors a weight"),
        (Plain, "resume", "0 tensors a weight"),
    ],
)
def test_what_was_seen_is_said(component: type, name: str, said: str) -> None:
    (result,) = check(component, CLAIMS, only=[name]).results
    assert result.detail == said


@pytest.mark.parametrize(("lr", "passes"), [(0.66, True), (0.67, False)])
def test_the_steepest_side_of_the_bowl_says_how_far_a_step_may_go(lr: float, passes: bool) -> None:
    """Its curvature is 3, so that w ← (1 - 3 rate) w, which grows from 2/3 on."""
    claims = OptimizerClaims(settings={"lr": lr, "momentum": 0.0}, steps=200)
    assert check(Plain, claims, only=["descends"]).passed is passes


def test_torchs_own_optimizer_passes() -> None:
    @attrs.frozen(kw_only=True)
    class Adam(Momentum):
        """Right: torch's.

        Args:
            momentum: β₁.
        """

        def build(self, parameters: Any) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, self.lr, (self.momentum, 0.999))

    report = check(Adam, CLAIMS)
    assert report.passed, report
