"""Thresholds are 5 standard errors: a false alarm of 6e-7 each."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmkit.core import Rng, run_chain
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.metropolis import Evaluated
from tests.models import double
from tests.plugins.mcmc.laws import CHAINS, quartic


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


def test_hmc_refuses_what_has_no_energy() -> None:
    start = torch.zeros(8, 2)

    def walled(x: Tensor) -> Tensor:
        return torch.where(x.abs().amax(1) < 1e-3, x.square().sum(1), math.nan)

    samples = run_chain(HMC(step_size=1.0), walled, start, steps=5, rng=Rng(2))
    assert torch.equal(samples.x, start)
    assert samples.stats["acceptance"] == 0
