"""Ladders: what they refuse, and what the pilot finds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng, run_chain
from ebmkit.core.ais import Bridge, Ladder, Reference, find_ladder
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.mala import MALA

REFERENCE = Reference.isotropic(1.0, torch.zeros(2))


def narrow(x: Tensor) -> Tensor:
    """N(0, 0.02² I)."""
    return x.square().sum(1) / (2 * 0.02**2)


def wall(x: Tensor) -> Tensor:
    """Finite on one of a hundred of the Gaussian's draws or so."""
    return torch.where((x[:, 0] > 2.3), x.square().sum(1), torch.inf)


@pytest.mark.parametrize("betas", [(0.0, 0.5), (0.1, 1.0), (0.0, 0.6, 0.5, 1.0), (0.0, 0.5, 0.5, 1.0)])
def test_betas_rise_from_0_to_1(betas: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="rise from 0 to 1"):
        Ladder(betas, (MALA(),) * (len(betas) - 1))


@pytest.mark.parametrize(("kernels", "moves"), [(1, 1), (3, 1), (2, 0)])
def test_there_is_a_kernel_for_each_of_them_and_a_move(kernels: int, moves: int) -> None:
    with pytest.raises(ValueError, match="a kernel for each beta above 0, and at least one move"):
        Ladder((0.0, 0.5, 1.0), (MALA(),) * kernels, moves)


def test_an_even_one_has_equal_steps_and_no_adaptation() -> None:
    ladder = Ladder.even(HMC(adapt_steps=7), 4)
    assert ladder.betas == (0, 0.25, 0.5, 0.75, 1)
    assert ladder.kernels == (HMC(adapt_steps=0),) * 4


def test_towards_a_narrow_law_steps_grow_like_beta_and_moves_get_small() -> None:
    """E_β is N(0, v I) with 1/v = 1 - β + 2500 β: from a rung to the next the width falls by one factor."""
    ladder = find_ladder(narrow, REFERENCE, HMC(step_size=1.0, leapfrogs=3), temperatures=60, rng=Rng(1))
    assert len(ladder.kernels) == 60
    widths = [(1 - beta + 2500 * beta) ** -0.5 for beta in ladder.betas]
    ratios = [below / above for below, above in itertools.pairwise(widths)]
    assert max(ratios) < 1.5  # with 60 even steps the first alone would be 6.5
    assert 10 < ladder.kernels[0].step_size / ladder.kernels[-1].step_size < 250  # the widths: 50


@pytest.mark.parametrize(("sampler", "target"), [(HMC(step_size=3.0), 0.8), (MALA(step_size=0.001), 0.574)])
def test_step_sizes_lead_to_the_acceptance_that_is_wanted(sampler: HMC | MALA, target: float) -> None:
    """Where the pilot ends: of 2,000 chains the acceptance is within 0.15, the noise of 64 chains' steps."""
    ladder = find_ladder(narrow, REFERENCE, sampler, temperatures=10, rng=Rng(2))
    start = 0.02 * Rng(3).normal(torch.empty(2000, 2))
    chain = run_chain(ladder.kernels[-1], Bridge(REFERENCE, narrow, 1.0), start, steps=20, rng=Rng(4))
    assert float(chain.stats["acceptance"]) == pytest.approx(target, abs=0.15)


def test_where_nothing_changes_the_steps_are_even() -> None:
    ladder = find_ladder(REFERENCE.energy, REFERENCE, MALA(), temperatures=5, rng=Rng(1))
    assert ladder.betas == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])


def test_samplers_that_refuse_nothing_keep_their_step() -> None:
    ladder = find_ladder(narrow, REFERENCE, Langevin(step_size=0.01), temperatures=7, rng=Rng(1), moves=2)
    assert set(ladder.kernels) == {Langevin(step_size=0.01)}
    assert ladder.moves == 2


def test_equal_keys_give_equal_ladders() -> None:
    first, second, third = (
        find_ladder(narrow, REFERENCE, MALA(), temperatures=9, rng=Rng(seed)) for seed in (1, 1, 2)
    )
    assert first == second != third


@pytest.mark.parametrize("energy", [wall, lambda x: x.sum(1) * math.nan])
def test_an_energy_without_a_number_at_most_draws_is_refused(energy: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ValueError, match=r"too far from this Gaussian: 1 steps led .* as far as β = .* of 1"):
        find_ladder(energy, REFERENCE, MALA(), temperatures=9, rng=Rng(1))
