"""The seam through which chains get a faster gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from ebmkit.core import (
    Gradient,
    Prepared,
    Rng,
    ValueAndGradient,
    computing_in,
    prepare,
    run_chain,
    value_and_gradient,
    walk,
)
from tests.core.offering import DESCENT, DESCENT_BY_HALF, MARK, Bowl


def test_a_chain_asks_the_energy_once_and_walks_on_its_answer() -> None:
    energy = Bowl()
    moved = run_chain(DESCENT, energy, torch.ones(4, 2), steps=3, rng=Rng(0)).x
    assert energy.prepared_at == [(4, 2)]
    assert torch.equal(moved, torch.full((4, 2), (1 - MARK) ** 3))


def test_outside_a_chain_the_gradient_is_autograds() -> None:
    assert torch.equal(value_and_gradient(Bowl(), torch.ones(1, 2)).gradient, torch.ones(1, 2))


def test_states_of_another_shape_or_type_go_to_autograd() -> None:
    ready = prepare(Bowl(), torch.ones(4, 2))
    for x in (torch.ones(3, 2), torch.ones(4, 2, dtype=torch.float64)):
        assert torch.equal(ready.value_and_gradient(x).gradient, x)


def test_parameters_and_buffers_changed_in_place_are_noticed() -> None:
    energy = Bowl()
    ready = prepare(energy, torch.ones(4, 2))
    with torch.no_grad():
        energy.scale.mul_(3)
    assert torch.equal(ready.value_and_gradient(torch.ones(4, 2)).gradient, torch.full((4, 2), 3 * MARK))
    assert len(energy.prepared_at) == 2


def test_what_is_prepared_stays_as_it_is_and_can_be_called() -> None:
    ready = prepare(Bowl(), torch.ones(4, 2))
    assert prepare(ready, torch.ones(4, 2)) is ready
    assert isinstance(ready, Prepared)
    assert torch.equal(ready(torch.ones(4, 2)), torch.ones(4))


def test_the_precision_of_a_chain_is_that_of_its_start() -> None:
    energy, x = nn.Sequential(nn.Linear(8, 8), nn.Flatten(0)), torch.randn(1, 8)

    class Summed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return energy[0](x).exp().sum(1)

    with computing_in("bf16"):
        ready = prepare(Summed(), x)
    exact = value_and_gradient(Summed(), x).gradient
    error = float((ready.value_and_gradient(x).gradient - exact).norm() / exact.norm())
    assert 1e-4 < error < 0.1


def test_between_the_steps_of_a_walk_the_energy_may_change() -> None:
    class Scaled(Bowl):
        beta = 1.0
        shared: ClassVar[dict[str, float]] = {"gamma": 1.0}

        def forward(self, x: Tensor) -> Tensor:
            return self.beta * self.shared["gamma"] * super().forward(x)

        def prepare(self, x: Tensor) -> Gradient:
            factor = self.beta * self.shared["gamma"] * float(self.scale)
            return lambda x: ValueAndGradient(self(x).detach(), factor * x * MARK)

    energy, x = Scaled(), torch.full((2, 2), 64.0)
    moves = walk(DESCENT_BY_HALF, energy, x, rng=Rng(0))
    changes: list[Callable[[], object]] = [
        lambda: setattr(energy, "beta", 0.5),
        lambda: energy.shared.update(gamma=0.25),
        lambda: setattr(energy, "scale", nn.Parameter(torch.tensor(3.0))),
        lambda: None,
    ]
    factor = 1.0
    for change, after in zip(changes, (0.5, 0.125, 0.375, 0.375), strict=True):
        before, x = x, next(moves)[0].x
        assert torch.equal(x, before - 0.5 * (factor * before * MARK))
        change()
        factor = after
