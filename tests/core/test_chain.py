from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import attrs
import pytest
import torch
from ebmkit_my_mala.my_mala import MyMala
from torch import Tensor, nn

from ebmkit.core import Chain, Energy, Info, Position, Rng, Sampler, State, as_rows, run_chain, walk
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.annealed import Annealed
from ebmkit_mcmc.descent import Descent
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.mala import MALA
from ebmkit_mcmc.preconditioned import Preconditioned
from ebmkit_mcmc.tempering import ParallelTempering
from ebmkit_mcmc.underdamped import Underdamped
from tests.models import LinearDescriptor, double


class Watching(Energy):
    """Remembers in which mode it was evaluated."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.frozen = nn.Dropout(0.5).eval()
        self.seen: list[tuple[bool, bool]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append((self.dropout.training, self.frozen.training))
        return self.dropout(x.square()).sum(1)


@attrs.frozen(kw_only=True)
class Drift(Sampler):
    """Adds one at each step and says how often it has."""

    def step(self, energy: object, state: Any, rng: Rng) -> tuple[State, Info]:
        return Position(state.x + 1), {"position": state.x.mean(1), "twice": 2 * state.x.mean()}


def test_a_chain_moves_and_averages_what_the_sampler_watches() -> None:
    x = torch.zeros(3, 2)
    samples = run_chain(Drift(), lambda x: x.sum(1), x, steps=4, rng=Rng(0))
    assert torch.equal(samples.x, torch.full((3, 2), 4.0))
    assert samples.stats["position"] == 1.5
    assert samples.stats["twice"] == 3.0
    assert torch.equal(x, torch.zeros(3, 2))


def test_no_step_is_no_move() -> None:
    x = double(3, 2)
    samples = run_chain(Langevin(), lambda x: x.sum(1), x, steps=0, rng=Rng(0))
    assert torch.equal(samples.x, x)
    assert samples.stats == {}
    assert run_chain(HMC(), lambda x: x.sum(1), x, steps=0, rng=Rng(0)).start_energy is None
    with pytest.raises(ValueError, match="steps"):
        run_chain(Langevin(), lambda x: x.sum(1), x, steps=-1, rng=Rng(0))


def test_modules_run_in_eval_mode_and_get_their_modes_back() -> None:
    energy = Watching().train()
    energy.frozen.eval()
    run_chain(Langevin(), energy, torch.zeros(2, 2), steps=3, rng=Rng(0))
    assert energy.seen == [(False, False)] * 3
    assert (energy.training, energy.dropout.training, energy.frozen.training) == (True, True, False)

    def fails(*arguments: object) -> Tensor:
        raise RuntimeError

    energy.forward = fails  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        run_chain(Langevin(), energy, torch.zeros(2, 2), steps=1, rng=Rng(0))
    assert energy.training


def test_parameters_keep_their_gradients_and_the_result_has_none() -> None:
    energy = LinearDescriptor(double(2), 0.5)
    energy.weight.grad = torch.full_like(energy.weight, 7)
    x = double(3, 2, seed=1).requires_grad_()
    samples = run_chain(Langevin(step_size=0.1), energy, x, steps=3, rng=Rng(0))
    assert torch.equal(energy.weight.grad, torch.full_like(energy.weight, 7))
    assert not samples.x.requires_grad
    assert x.grad is None


def test_sixty_four_chains_are_two_times_thirty_two_bit_for_bit() -> None:
    energy = LinearDescriptor(double(5), 0.5)
    x = double(64, 5, seed=1)
    whole = run_chain(Langevin(step_size=0.1), energy, x, steps=5, rng=Rng(0)).x
    parts = [
        run_chain(
            Langevin(step_size=0.1), energy, x[first : first + 32], steps=5, rng=Rng(0, first_chain=first)
        ).x
        for first in (0, 32)
    ]
    assert torch.equal(whole, torch.cat(parts))


def test_a_walk_is_the_trajectory_of_the_chain_wherever_it_is_cut() -> None:
    """Noise is drawn for 16, 48, 112, ... steps of an open walk, and for all of a chain of up to 256."""
    energy = LinearDescriptor(double(5), 0.5)
    x = double(4, 5, seed=1)
    sampler = Langevin(step_size=0.1)
    states = [state.x for state, _ in islice(walk(sampler, energy, x, rng=Rng(1)), 260)]
    for steps in (1, 3, 15, 16, 17, 48, 49, 112, 113, 256, 257, 260):
        assert torch.equal(run_chain(sampler, energy, x, steps=steps, rng=Rng(1)).x, states[steps - 1])
    counted = [state.x for state, _ in walk(sampler, energy, x, rng=Rng(1), steps=49)]
    assert all(map(torch.equal, counted, states))
    assert len(counted) == 49


class DrawnOneByOne(Rng):
    """Every step's numbers from a stream of its own."""

    def steps(self, label: str, count: int | None = None) -> Iterator[Rng]:
        assert count is not None
        return (self.fold_in(label, step) for step in range(count))


SAMPLERS: list[Sampler] = [
    Langevin(step_size=0.3),
    Langevin(step_size=0.3, noise=False),
    Annealed(step_size=0.3, anneal_steps=10),
    Descent(step_size=0.3),
    HMC(step_size=0.3, leapfrogs=2),
    HMC(step_size=0.3, leapfrogs=2, adapt_steps=10),
    MALA(step_size=0.3),
    MALA(step_size=0.3, adapt_steps=10),
    MyMala(step_size=0.3),
    ParallelTempering(step_size=0.3, replicas=3),
    Preconditioned(step_size=0.3, adapt_steps=10),
    Underdamped(step_size=0.3),
]


def bowl(x: Tensor) -> Tensor:
    return as_rows(x).square().sum(1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 2), (6, 3, 8, 8), (6, 3, 64, 64)])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_noise_drawn_ahead_has_the_bits_of_noise_drawn_step_by_step(
    sampler: Sampler, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    """And so has that of two processes which share the chains unevenly."""
    x, steps = double(*shape).to(dtype), 7 if len(shape) > 2 else 40
    exact = run_chain(sampler, bowl, x, steps=steps, rng=DrawnOneByOne(3)).x
    parts = [
        run_chain(sampler, bowl, part, steps=steps, rng=Rng(3, first_chain=first)).x
        for first, part in ((0, x), (0, x[:2]), (2, x[2:]))
    ]
    assert torch.equal(parts[0], exact)
    assert torch.equal(torch.cat(parts[1:]), exact)


def test_chains_of_numbers_have_the_noise_of_their_streams() -> None:
    x = double(6)
    moved = run_chain(Langevin(step_size=0.3), torch.square, x, steps=40, rng=Rng(3)).x
    for step in range(40):
        x = torch.add(x, 2 * x, alpha=-(0.3**2) / 2)
        x.add_(Rng(3).fold_in("step", step).normal(x), alpha=0.3)
    assert torch.equal(moved, x)


def test_a_chain_is_a_sampler_with_its_number_of_steps() -> None:
    energy = LinearDescriptor(double(5), 0.5)
    x = double(4, 5, seed=1)
    chain = Chain(Langevin(step_size=0.1), 3)
    assert torch.equal(
        chain(energy, x, rng=Rng(1)).x, run_chain(chain.sampler, energy, x, steps=3, rng=Rng(1)).x
    )
    with pytest.raises(ValueError, match="steps"):
        Chain(Langevin(), -1)


def test_the_energy_at_the_start_comes_with_the_first_gradient() -> None:
    energy = Watching()
    x = double(4, 2)
    samples = run_chain(Langevin(step_size=0.1), energy, x, steps=3, rng=Rng(0))
    assert samples.start_energy is not None
    assert torch.equal(samples.start_energy, x.square().sum(1))
    assert len(energy.seen) == 3
    assert run_chain(Drift(), energy, x, steps=3, rng=Rng(0)).start_energy is None


def test_a_chain_to_be_walked_is_no_graph_and_of_its_own_length_or_another() -> None:
    chain = Chain(Langevin(), 7, graph=True)
    assert chain.walked() == Chain(Langevin(), 7)
    assert chain.walked(0) == Chain(Langevin(), 0)
