"""Thresholds are 5 standard errors: a false alarm of 6e-7 each."""

from __future__ import annotations

import math
from itertools import islice

import torch

from ebmkit.core import Rng, run_chain, walk
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.annealed import Annealed
from tests.models import double
from tests.plugins.mcmc.standard import STEP, gaussian


def test_cooling_follows_the_exact_law_of_every_step() -> None:
    """x to (1 - δ²/2) x + δ √T_t ε from 0: the variance of step t is a sum that is known."""
    hot, cold, n, chains = 16.0, 0.25, 12, 40_000
    sampler = Annealed(step_size=STEP, temperature_start=hot, temperature=cold, anneal_steps=n)
    start = torch.zeros(chains, 1, dtype=torch.float64)
    variance = 0.0
    for t, (state, info) in enumerate(islice(walk(sampler, gaussian, start, rng=Rng(4)), 20)):
        temperature = cold * (hot / cold) ** max(0.0, 1 - t / n)
        assert torch.allclose(info["temperature"], torch.full((chains,), temperature, dtype=torch.float64))
        variance = (1 - STEP**2 / 2) ** 2 * variance + STEP**2 * temperature
        assert abs(state.x.var() / variance - 1) < 5 * math.sqrt(2 / chains)


def test_without_cooling_it_is_langevin_dynamics_to_the_bit() -> None:
    x = double(5, 1, 4, 4)
    plain = run_chain(Langevin(step_size=STEP, temperature=1.0), gaussian, x, steps=5, rng=Rng(5)).x
    annealed = run_chain(Annealed(step_size=STEP, anneal_steps=0), gaussian, x, steps=5, rng=Rng(5)).x
    assert torch.allclose(plain, annealed, rtol=1e-15, atol=1e-15)
