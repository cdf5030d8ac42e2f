"""Thresholds are 5 standard errors: a false alarm of 6e-7 each."""

from __future__ import annotations

import math
from itertools import islice

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng, run_chain, walk
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.mala import MALA
from ebmkit_mcmc.metropolis import Evaluated
from ebmkit_mcmc.tempering import ParallelTempering, _swap
from tests.models import double
from tests.plugins.mcmc.standard import gaussian


def two_modes(x: Tensor) -> Tensor:
    """N(-4, 0.5²) with weight 0.25 and N(4, 0.5²) with weight 0.75."""
    left, right = (-((x[:, 0] - mean) ** 2) / 0.5 for mean in (-4.0, 4.0))
    return -torch.logaddexp(math.log(0.25) + left, math.log(0.75) + right)


def test_parallel_tempering_gets_the_shares_of_modes_right_where_langevin_never_crosses() -> None:
    """16 standard deviations apart. All chains start in the mode of weight 0.25."""
    chains = 1500
    start = torch.full((chains, 1), -4.0, dtype=torch.float64)
    tempering = ParallelTempering(step_size=0.5, replicas=5, temperature_max=60.0)
    samples = run_chain(tempering, two_modes, start, steps=250, rng=Rng(6))
    right = (samples.x > 0).double().mean()
    assert abs(right - 0.75) < 5 * math.sqrt(0.75 * 0.25 / chains)
    inside = samples.x[samples.x > 0]
    assert abs(inside.mean() - 4) < 5 * 0.5 / math.sqrt(len(inside))
    assert abs(inside.var() / 0.25 - 1) < 5 * math.sqrt(2 / len(inside))
    assert samples.stats["swap"] > 0.2
    for plain in (Langevin(step_size=0.5), MALA(step_size=0.5)):
        assert torch.all(run_chain(plain, two_modes, start, steps=250, rng=Rng(6)).x < 0)


def test_the_hot_replicas_have_their_own_laws() -> None:
    sampler = ParallelTempering(step_size=0.9, replicas=3, temperature_max=9.0)
    *_, (state, _) = islice(walk(sampler, gaussian, double(20_000, 1), rng=Rng(7)), 80)
    hot = state.hot[..., 0]  # type: ignore[attr-defined]
    for column, temperature in enumerate((3.0, 9.0)):
        assert abs(hot[:, column].var() / temperature - 1) < 5 * math.sqrt(2 / len(hot))
    assert torch.equal(state.hot_energy[:, 1], gaussian(state.hot[:, 1]))  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_shares_of_modes_over_seeds(seed: int) -> None:
    start = torch.full((500, 1), -4.0, dtype=torch.float64)
    tempering = ParallelTempering(step_size=0.5, replicas=5, temperature_max=60.0)
    x = run_chain(tempering, two_modes, start, steps=250, rng=Rng(seed)).x
    assert abs((x > 0).double().mean() - 0.75) < 5 * math.sqrt(0.75 * 0.25 / 500)


@pytest.mark.parametrize("replicas", [2, 3, 4, 7])
def test_every_pair_has_its_turn_and_no_replica_is_in_two_at_once(replicas: int) -> None:
    sampler = ParallelTempering(replicas=replicas)
    turns = torch.cat([sampler._turn(torch.tensor([parity])) for parity in range(4)])
    assert not (turns[:, 1:] & turns[:, :-1]).any()
    every = 1 if replicas == 2 else 2  # one pair alone swaps at every step
    assert turns.sum(0).tolist() == [4 // every] * (replicas - 1)


def test_a_swap_gives_each_of_two_replicas_the_place_of_the_other_with_all_it_knows() -> None:
    x = double(3, 5, 2)
    swapped = torch.zeros(3, 4, dtype=torch.bool)
    swapped[0, 0] = swapped[0, 3] = swapped[2, 1] = True
    moved = _swap(Evaluated(x, x[..., 0], 2 * x), swapped)
    order = torch.tensor([[1, 0, 2, 4, 3], [0, 1, 2, 3, 4], [0, 2, 1, 3, 4]])
    expected = torch.stack([chain[places] for chain, places in zip(x, order, strict=True)])
    assert torch.equal(moved.x, expected)
    assert torch.equal(moved.energy, expected[..., 0])
    assert torch.equal(moved.gradient, 2 * expected)
