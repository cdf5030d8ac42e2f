"""Thresholds are 5 standard errors: a false alarm of 6e-7 each."""

from __future__ import annotations

import math

import pytest
import torch

from ebmkit.core import Rng, run_chain, walk
from ebmkit_mcmc.underdamped import Underdamped
from tests.models import double
from tests.plugins.mcmc.laws import CHAINS, MEAN, STD, gaussian


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


def test_velocities_start_from_their_law_whatever_the_position() -> None:
    """N(0, T I), drawn at the first step; with a step near 0 it is still there after it."""
    sampler = Underdamped(step_size=1e-6, friction=1.0, temperature=2.5)
    state, info = next(walk(sampler, gaussian, torch.full((CHAINS, 2), 9.0).double(), rng=Rng(8)))
    velocity = state.velocity  # type: ignore[attr-defined]
    assert torch.all(velocity.mean(0).abs() < 5 * math.sqrt(2.5 / CHAINS))
    assert torch.all((velocity.var(0) / 2.5 - 1).abs() < 5 * math.sqrt(2 / CHAINS))
    assert torch.equal(info["kinetic_temperature"], velocity.square().mean(1))
