"""MALA passes ebmkit's conformance kit, and has no step-size bias where plain Langevin has one."""

from __future__ import annotations

import math

import torch
from ebmkit.core import Rng, run_chain
from ebmkit.testing import SamplerChecks
from torch import Tensor

from ebmkit_my_mala.my_mala import MyMala

MEAN, STD = 3.0, 0.5


# --8<-- [start:kit]
class TestMyMala(SamplerChecks):
    """Every rule of a sampler, and the exact laws that ``MyMala.conformance()`` claims."""

    component = MyMala
    quick = True  # seconds; without it a minute, which sees errors half as large


# --8<-- [end:kit]


def gaussian_energy(x: Tensor) -> Tensor:
    """-log N(x; 3, 0.25 I) up to a constant."""
    return ((x - MEAN).square() / (2 * STD**2)).sum(1)


def test_mala_samples_a_gaussian_without_bias() -> None:
    chains, step_size = 40_000, 0.9 * STD
    start = torch.zeros(chains, 1, dtype=torch.float64)
    samples = run_chain(MyMala(step_size=step_size), gaussian_energy, start, steps=80, rng=Rng(7))
    # Chains are independent: the mean has standard error s/sqrt(n), the variance s^2 sqrt(2/n).
    # 5 standard errors each: a false alarm in 1 of 870,000 seeds.
    assert abs(samples.x.mean() - MEAN) < 5 * STD / math.sqrt(chains)
    assert abs(samples.x.var() - STD**2) < 5 * STD**2 * math.sqrt(2 / chains)
    # Plain Langevin's variance at this step is s^2 / (1 - delta^2 / 4 s^2): 36 errors away.
    assert STD**2 / (1 - step_size**2 / (4 * STD**2)) - STD**2 > 20 * STD**2 * math.sqrt(2 / chains)


def test_a_small_step_is_accepted_and_a_huge_one_refused() -> None:
    start = torch.full((2000, 10), MEAN)
    small = run_chain(MyMala(step_size=0.01 * STD), gaussian_energy, start, steps=20, rng=Rng(1))
    huge = run_chain(MyMala(step_size=20 * STD), gaussian_energy, start, steps=20, rng=Rng(1))
    assert small.stats["acceptance"] > 0.99
    assert huge.stats["acceptance"] < 0.01


def test_a_proposal_without_an_energy_is_refused() -> None:
    start = torch.zeros(8, 2)

    def walled(x: Tensor) -> Tensor:
        inside = x.abs().amax(1) < 1e-3
        return torch.where(inside, x.square().sum(1), math.nan)

    samples = run_chain(MyMala(step_size=1.0), walled, start, steps=5, rng=Rng(2))
    assert torch.equal(samples.x, start)
