"""HMC and underdamped Langevin dynamics against closed forms.

Chains are independent: a mean has the standard error sd / sqrt(n), a variance v sqrt(2 / n); every
threshold is 5 of them, a false alarm of 6e-7 each.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.core import Position, Rng, run_chain, value_and_gradient, walk
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.underdamped import Underdamped
from tests.models import double
from tests.plugins.mcmc.laws import CHAINS, MEAN, STD, gaussian, quartic

SAMPLERS = [
    *(HMC(step_size=1.2 * STD, leapfrogs=leapfrogs) for leapfrogs in (1, 2, 4)),
    *(Underdamped(step_size=ratio * STD, friction=2.0) for ratio in (0.3, 1.2)),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_a_gaussian_is_sampled_without_bias_at_large_steps(sampler: HMC | Underdamped) -> None:
    start = torch.zeros(CHAINS, 2, dtype=torch.float64)
    x = run_chain(sampler, gaussian, start, steps=80, rng=Rng(3)).x
    assert torch.all((x.mean(0) - MEAN).abs() < 5 * STD / math.sqrt(CHAINS))
    assert torch.all((x.var(0) / STD**2 - 1).abs() < 5 * math.sqrt(2 / CHAINS))
    assert abs(torch.corrcoef(x.T)[0, 1]) < 5 / math.sqrt(CHAINS)


def test_the_cached_energy_and_gradient_are_those_of_the_position() -> None:
    for sampler in (HMC(step_size=0.4), Underdamped(step_size=0.4)):
        moves = walk(sampler, quartic, double(50, 2), rng=Rng(5))
        for _ in range(10):
            state, _ = next(moves)
        value, gradient = value_and_gradient(quartic, state.x)
        assert torch.equal(state.gradient, gradient)  # type: ignore[attr-defined]
        if isinstance(sampler, HMC):
            assert torch.equal(state.energy, value)  # type: ignore[attr-defined]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_they_move_images_and_start_from_a_position_alone(sampler: HMC | Underdamped) -> None:
    x = double(3, 1, 4, 4).float()
    moved = run_chain(sampler, lambda y: y.square().flatten(1).sum(1) / 2, x, steps=2, rng=Rng(0)).x
    assert moved.shape == x.shape
    assert moved.dtype == x.dtype
    assert not torch.equal(moved, x)
    assert sampler.init(gaussian, x.flatten(1)).x is not None
    assert isinstance(Position(x).x, Tensor)
