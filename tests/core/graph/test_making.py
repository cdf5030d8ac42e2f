from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Rng, run_chain
from ebmkit.core import graph as graphs
from ebmkit.core.graph import making
from ebmkit.core.graph.compiling import Function
from ebmkit_langevin.langevin import Langevin
from tests.core.graph.chains import Recorder, Varied, descriptor
from tests.models import LinearDescriptor, double

BAKED: dict[str, Callable[[int], slice]] = {
    "random numbers": lambda count: slice(0, 1),
    "a state": lambda count: slice(1, 2),
    "a weight": lambda count: slice(count - 1, count),
}


@pytest.mark.parametrize("what", BAKED)
def test_what_went_into_a_graph_as_a_constant_shows_before_its_first_use(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the inputs it was made of it is right."""

    def baked(function: Function, made_of: tuple[Tensor, ...]) -> Function:
        fixed = BAKED[what](len(made_of))

        def run(*inputs: Tensor) -> tuple[Tensor, ...]:
            given = [each.clone() for each in inputs]
            given[fixed] = [each.clone() for each in made_of[fixed]]
            return function(*given)

        assert all(map(torch.equal, run(*made_of), function(*made_of)))
        return run

    monkeypatch.setattr(making, "compiled", baked)
    graphs.forget()
    energy, x, sampler = descriptor(), double(6, 4, seed=1), Langevin(step_size=0.3)
    exact = run_chain(sampler, energy, x, steps=4, rng=Rng(5)).x
    with pytest.warns(RuntimeWarning, match="walk step by step: their graph moves them elsewhere"):
        assert torch.equal(run_chain(sampler, energy, x, steps=4, rng=Rng(5), graph=True).x, exact)
    graphs.forget()


CALLS: list[Tensor] = []


class Diary(LinearDescriptor):
    """Writes down what it is asked."""

    everywhere: list[Tensor] = CALLS

    def __init__(self) -> None:
        super().__init__(double(4), 0.5)
        self.seen: list[Tensor] = []
        self.count = 0
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        self.everywhere.append(x)
        self.count += 1
        self.steps += 1
        return super().forward(x)


@pytest.mark.parametrize("graph", [False, True])
def test_an_energy_that_changes_as_it_is_asked_is_walked_and_sees_no_more_than_that(graph: bool) -> None:
    graphs.forget()
    CALLS.clear()
    energy, x = Diary(), double(6, 4, seed=1)
    expected = pytest.warns(RuntimeWarning, match="writes into a tensor that was there before")
    with expected if graph else nullcontext():
        run_chain(Langevin(step_size=0.3), energy, x, steps=4, rng=Rng(0), graph=graph)
    once_more = int(graph)  # of a copy, with true numbers
    assert len(energy.seen) == energy.count == int(energy.steps) == 4
    assert len(CALLS) == 4 + once_more
    assert {type(each) for each in CALLS} == {Tensor}
    graphs.forget()


def _remember(self: Any, x: Tensor) -> Tensor:
    self.last = x
    return LinearDescriptor.forward(self, x)


def _take_turns(self: Any, x: Tensor) -> Tensor:
    self.numbers["turn"] = self.numbers.get("turn", 0) + 1
    return LinearDescriptor.forward(self, x)


def _average(self: Any, x: Tensor) -> Tensor:
    self.mask = 0.9 * self.mask + 0.1 * x.detach().mean()
    return LinearDescriptor.forward(self, x)


@pytest.mark.parametrize(
    ("forward", "changed"), [(_remember, "of theirs"), (_take_turns, "numbers"), (_average, "its 'mask'")]
)
def test_what_an_energy_does_to_itself_is_named(
    forward: Callable[[Any, Tensor], Tensor], changed: str, recorder: Recorder
) -> None:
    kind = type("Restless", (Varied,), {"forward": forward, "__module__": __name__})
    x, sampler = double(6, 4, seed=1), Langevin(step_size=0.3)
    exact = run_chain(sampler, kind(), x, steps=4, rng=Rng(0)).x
    with pytest.warns(RuntimeWarning, match=f"walk step by step: .* changes .*{changed}"):
        assert torch.equal(run_chain(sampler, kind(), x, steps=4, rng=Rng(0), graph=True).x, exact)
    assert recorder.made == 0


class Noisy(LinearDescriptor):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.1 * torch.randn_like(x))


def test_an_energy_that_draws_by_itself_is_walked_with_the_numbers_it_would_draw(recorder: Recorder) -> None:
    energy, x, sampler = Noisy(double(4), 0.5), double(6, 4, seed=1), Langevin(step_size=0.3)
    torch.manual_seed(0)
    exact = run_chain(sampler, energy, x, steps=4, rng=Rng(0)).x
    torch.manual_seed(0)
    with pytest.warns(RuntimeWarning, match="draws from torch's own random numbers"):
        assert torch.equal(run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True).x, exact)


def test_batch_statistics_and_modes_stay_as_they_are(recorder: Recorder) -> None:
    class Normed(LinearDescriptor):
        def __init__(self) -> None:
            super().__init__(double(4), 0.5)
            self.norm = nn.BatchNorm1d(4).double()

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(self.norm(x))

    energy, x, sampler = Normed().train(), double(6, 4, seed=1), Langevin(step_size=0.3)
    energy.norm.running_mean.fill_(0.5)
    before = {name: value.clone() for name, value in energy.state_dict().items()}
    exact = run_chain(sampler, energy, x, steps=4, rng=Rng(0)).x
    assert torch.equal(run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True).x, exact)
    assert graphs.kept() == [True]
    assert all(torch.equal(value, before[name]) for name, value in energy.state_dict().items())
    assert [each.training for each in energy.modules()] == [True, True]
