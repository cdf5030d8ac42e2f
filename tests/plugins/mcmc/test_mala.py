"""Thresholds are 5 standard errors: a false alarm of 6e-7 each."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmkit.core import Rng, run_chain
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.mala import MALA
from tests.models import double
from tests.plugins.mcmc.laws import CHAINS, MEAN, STD, gaussian, quartic


def test_it_is_hamiltonian_monte_carlo_of_one_leapfrog() -> None:
    """The momentum is the noise, and what a proposal changes in H is what it changes in E and in q."""
    x = double(50, 3)
    one, other = (
        run_chain(sampler, quartic, x, steps=20, rng=Rng(1))
        for sampler in (MALA(step_size=0.7), HMC(step_size=0.7, leapfrogs=1))
    )
    assert torch.allclose(one.x, other.x, atol=1e-9)
    assert 0.2 < float(one.stats["acceptance"]) < 0.9
    assert torch.equal(one.stats["acceptance"], other.stats["acceptance"])


def test_chains_that_have_the_law_keep_it_at_a_step_where_langevin_has_another() -> None:
    """At δ = 1.5 s Langevin's variance is s² / (1 - 1.5² / 4), more than twice as large."""
    start = MEAN + STD * double(CHAINS, 1)
    moved = run_chain(MALA(step_size=1.5 * STD), gaussian, start, steps=10, rng=Rng(2))
    assert moved.stats["acceptance"] < 0.9
    assert abs(moved.x.mean() - MEAN) < 5 * STD / math.sqrt(CHAINS)
    assert abs(moved.x.var() / STD**2 - 1) < 5 * math.sqrt(2 / CHAINS)


def test_it_never_goes_where_there_is_no_energy() -> None:
    def walled(x: Tensor) -> Tensor:
        return torch.where(x.abs().amax(1) < 0.5, x.square().sum(1), math.nan)

    moved = run_chain(MALA(step_size=0.4), walled, torch.zeros(200, 2), steps=20, rng=Rng(3))
    assert moved.x.abs().max() < 0.5
    assert 0 < float(moved.stats["acceptance"]) < 1
    assert not (moved.x == 0).any()
