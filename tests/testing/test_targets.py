"""The targets: their maps to normal numbers fit their energies."""

from __future__ import annotations

import pytest
import torch

from ebmkit.core import Rng
from ebmkit.testing.battery import standard_normal, verdict
from ebmkit.testing.targets import Banana, Funnel, LogExponential, Mixture, Target

TARGETS = [LogExponential(), Mixture(), Mixture(distance=3.0, std=1.0), Banana(), Funnel()]


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: type(each).__name__)
def test_exact_draws_become_standard_normal(target: Target) -> None:
    numbers = target.to_normal(target.draw(100_000, Rng(1)))
    holds, worst = verdict(list(standard_normal(numbers)), 1e-5)
    assert holds, worst


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: type(each).__name__)
def test_the_map_is_that_of_the_energy(target: Target) -> None:
    """Change of variables: E(x) = |z(x)|²/2 - log |det dz/dx| + constant, wherever x is."""
    x = target.draw(50, Rng(2))
    constants = []
    for row in x:
        jacobian = torch.autograd.functional.jacobian(lambda y: target.to_normal(y[None])[0], row)
        z = target.to_normal(row[None])[0]
        constants.append(target.energy(row[None])[0] - z.square().sum() / 2 + jacobian.det().abs().log())
    assert torch.stack(constants).std() < 1e-6


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: type(each).__name__)
def test_the_energy_of_a_row_is_its_own(target: Target) -> None:
    x = target.draw(7, Rng(3))
    rows = torch.cat([target.energy(row[None]) for row in x])
    assert torch.allclose(target.energy(x), rows)


@pytest.mark.parametrize("target", TARGETS, ids=lambda each: type(each).__name__)
def test_the_same_stream_draws_the_same_and_another_one_others(target: Target) -> None:
    assert torch.equal(target.draw(9, Rng(4)), target.draw(9, Rng(4)))
    assert not torch.equal(target.draw(9, Rng(4)), target.draw(9, Rng(5)))
