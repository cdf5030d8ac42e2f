from __future__ import annotations

from itertools import islice
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Chain, Energy, Info, Position, Rng, Sampler, State, run_chain, walk
from ebmkit_langevin.langevin import Langevin
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


def test_a_walk_is_the_trajectory_of_the_chain() -> None:
    energy = LinearDescriptor(double(5), 0.5)
    x = double(4, 5, seed=1)
    sampler = Langevin(step_size=0.1)
    states = [state.x for state, _ in islice(walk(sampler, energy, x, rng=Rng(1)), 6)]
    for steps in (1, 3, 6):
        assert torch.equal(run_chain(sampler, energy, x, steps=steps, rng=Rng(1)).x, states[steps - 1])


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
