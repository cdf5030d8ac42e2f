"""Thresholds are 5 standard errors: a false alarm of 6e-7 each."""

from __future__ import annotations

import math
from itertools import islice

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng, run_chain, walk
from ebmkit_mcmc.mala import MALA
from ebmkit_mcmc.preconditioned import Preconditioned
from tests.models import double
from tests.plugins.mcmc.standard import gaussian as standard


def stretched(x: Tensor) -> Tensor:
    """Independent coordinates of standard deviations 1, 10 and 100."""
    return (x / x.new_tensor([1.0, 10.0, 100.0])).square().sum(1) / 2


def test_the_preconditioner_finds_the_variances() -> None:
    """On independent coordinates M is proportional to s_i²; within a factor 3 of it after 300 steps."""
    sampler = Preconditioned(step_size=1.0, adapt_steps=300, damping=1e-6)
    start = double(200, 3) * torch.tensor([1.0, 10.0, 100.0])
    *_, (state, _) = islice(walk(sampler, stretched, start, rng=Rng(2)), 300)
    metric = sampler._metric(state.fisher)  # type: ignore[attr-defined]
    wanted = torch.tensor([1.0, 100.0, 10_000.0], dtype=torch.float64)
    ratio = metric / wanted
    spread = (ratio / ratio.prod(1, keepdim=True) ** (1 / 3)).log().abs()
    assert spread.median() < math.log(1.5)
    assert spread.max() < math.log(6)


def test_a_preconditioned_chain_forgets_where_mala_does_not() -> None:
    start = torch.full((4000, 3), 0.0, dtype=torch.float64) + torch.tensor([0.0, 0.0, 300.0])
    preconditioned = Preconditioned(step_size=1.0, adapt_steps=100, damping=1e-6)
    x = run_chain(preconditioned, stretched, start, steps=200, rng=Rng(3)).x
    assert abs(x[:, 2].mean()) < 5 * 100 / math.sqrt(len(x))
    assert abs(x[:, 2].var() / 100**2 - 1) < 5 * math.sqrt(2 / len(x))
    mala = run_chain(MALA(step_size=1.0, adapt_steps=100), stretched, start, steps=200, rng=Rng(3)).x
    assert mala[:, 2].mean() > 250


def test_without_adaptation_it_is_mala() -> None:
    x = double(20, 3)
    plain = run_chain(MALA(step_size=0.5), standard, x, steps=10, rng=Rng(1)).x
    same = run_chain(Preconditioned(step_size=0.5, adapt_steps=0), standard, x, steps=10, rng=Rng(1))
    assert torch.allclose(same.x, plain, rtol=1e-12)
    assert float(same.stats["condition"]) == 1


@pytest.mark.parametrize("damping", [0.01, 1.0, 30.0])
def test_the_steps_have_a_mean_square_of_one_and_differ_by_a_bounded_factor(damping: float) -> None:
    """1 + d / λ, which is reached where one coordinate alone has a gradient."""
    sampler = Preconditioned(damping=damping)
    alone = torch.tensor([[0.0, 0.0, 7.0, 0.0]], dtype=torch.float64)
    metric = sampler._metric(torch.cat([alone, double(50, 4).square(), torch.zeros(1, 4)]))
    factor = metric.amax(1) / metric.amin(1)
    assert float(factor[0]) == pytest.approx(1 + 4 / damping)
    assert torch.all(factor[1:] < 1 + 4 / damping)
    assert torch.allclose(metric.mean(1), torch.ones(52, dtype=torch.float64))
    assert torch.equal(metric[-1], torch.ones(4, dtype=torch.float64))  # a flat energy
