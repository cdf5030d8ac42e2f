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
from ebmkit_mcmc.metropolis import Evaluated
from ebmkit_mcmc.underdamped import Underdamped
from tests.models import double

CHAINS = 40_000
MEAN, STD = 1.5, 0.4


def gaussian(x: Tensor) -> Tensor:
    return ((x - MEAN).square() / (2 * STD**2)).sum(1)


def quartic(x: Tensor) -> Tensor:
    return (x**4 / 4 - x**2 + 0.5 * x).sum(1)


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


def test_hmc_samples_a_law_that_is_not_gaussian() -> None:
    grid = torch.linspace(-5, 5, 20_001, dtype=torch.float64)[:, None]
    law = torch.softmax(-quartic(grid), 0)
    start = 0.5 * double(CHAINS, 1)
    x = run_chain(HMC(step_size=0.25, leapfrogs=5), quartic, start, steps=80, rng=Rng(4)).x[:, 0]
    for power in (1, 2, 3):
        values = grid[:, 0] ** power
        mean = (law * values).sum()
        std = (law * (values - mean) ** 2).sum().sqrt()
        assert abs((x**power).mean() - mean) < 5 * std / math.sqrt(CHAINS)


def test_a_trajectory_runs_backwards_and_hmc_takes_its_number_of_gradients() -> None:
    calls = []

    def counted(x: Tensor) -> Tensor:
        calls.append(1)
        return quartic(x)

    sampler = HMC(step_size=0.2, leapfrogs=7)
    state = Evaluated(*sampler.init(counted, double(5, 3))[:3])
    momentum = double(5, 3, seed=1)
    there, end = sampler._leapfrog(counted, state, momentum, 0.2)
    assert len(calls) == 1 + 7
    back, begin = sampler._leapfrog(counted, there, -end, 0.2)
    assert torch.allclose(back.x, state.x)
    assert torch.allclose(-begin, momentum)


def test_the_cached_energy_and_gradient_are_those_of_the_position() -> None:
    for sampler in (HMC(step_size=0.4), Underdamped(step_size=0.4)):
        moves = walk(sampler, quartic, double(50, 2), rng=Rng(5))
        for _ in range(10):
            state, _ = next(moves)
        value, gradient = value_and_gradient(quartic, state.x)
        assert torch.equal(state.gradient, gradient)  # type: ignore[attr-defined]
        if isinstance(sampler, HMC):
            assert torch.equal(state.energy, value)  # type: ignore[attr-defined]


def test_hmc_refuses_what_has_no_energy() -> None:
    start = torch.zeros(8, 2)

    def walled(x: Tensor) -> Tensor:
        return torch.where(x.abs().amax(1) < 1e-3, x.square().sum(1), math.nan)

    samples = run_chain(HMC(step_size=1.0), walled, start, steps=5, rng=Rng(2))
    assert torch.equal(samples.x, start)
    assert samples.stats["acceptance"] == 0


@pytest.mark.parametrize("temperature", [0.25, 2.0])
def test_the_temperature_of_underdamped_dynamics(temperature: float) -> None:
    sampler = Underdamped(step_size=0.8 * STD, friction=2.0, temperature=temperature)
    start = torch.full((CHAINS, 1), MEAN, dtype=torch.float64)
    x = run_chain(sampler, gaussian, start, steps=80, rng=Rng(6)).x
    assert abs(x.var() / (temperature * STD**2) - 1) < 5 * math.sqrt(2 / CHAINS)


def test_underdamped_dynamics_without_friction_keeps_the_energy() -> None:
    """γ to 0 is Hamiltonian dynamics: velocity Verlet, whose energy error is of second order."""
    start = double(200, 1) * STD + MEAN
    errors = []
    for step in (0.02, 0.01):
        sampler = Underdamped(step_size=step, friction=1e-12)
        moves = walk(sampler, gaussian, start, rng=Rng(7))
        totals = []
        for _ in range(round(2 / step)):
            state, _ = next(moves)
            kinetic = state.velocity.square().sum(1) / 2  # type: ignore[attr-defined]
            totals.append(gaussian(state.x) + kinetic)
        errors.append(float((torch.stack(totals) - totals[0]).abs().max()))
    assert errors[0] < 1e-2 * float(totals[0].mean())
    assert 3 < errors[0] / errors[1] < 5


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_they_move_images_and_start_from_a_position_alone(sampler: HMC | Underdamped) -> None:
    x = double(3, 1, 4, 4).float()
    moved = run_chain(sampler, lambda y: y.square().flatten(1).sum(1) / 2, x, steps=2, rng=Rng(0)).x
    assert moved.shape == x.shape
    assert moved.dtype == x.dtype
    assert not torch.equal(moved, x)
    assert sampler.init(gaussian, x.flatten(1)).x is not None
    assert isinstance(Position(x).x, Tensor)
