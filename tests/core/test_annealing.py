from __future__ import annotations

import attrs
import pytest
import torch

from ebmkit.core import Annealer, Annealing, Chain, EnergyFn, Info, Ramp, Rng, Sampler, State
from ebmkit_langevin.langevin import Langevin

CHAIN = Chain(Langevin(step_size=0.2, temperature=0.5), 10)


def test_without_anything_the_chain_is_the_same_object() -> None:
    annealer = Annealer(CHAIN)
    assert annealer.of(CHAIN) is CHAIN
    assert annealer.last(CHAIN) is CHAIN
    assert int(annealer.done) == 1
    assert set(annealer.state_dict()) == {"done"}


def test_each_iteration_has_the_values_of_its_ramps() -> None:
    annealing = Annealing(
        temperature=Ramp(end=0.01, after=1, over=2, shape="exponential"),
        step_size=Ramp(start=2.0, end=1.0, over=2),
        steps=Ramp(start=0.01, end=1.55, after=2),
    )
    annealer = Annealer(CHAIN, annealing)
    seen = []
    for _ in range(4):
        chain = annealer.of(CHAIN)
        sampler = chain.sampler
        assert isinstance(sampler, Langevin)
        seen.append((sampler.temperature, sampler.step_size, chain.steps))
    expected = [(0.5, 0.4, 1), (0.5, 0.3, 1), (0.05, 0.2, 16), (0.005, 0.2, 16)]
    for row, values in zip(seen, expected, strict=True):
        assert row == pytest.approx(values)


def test_the_last_chain_is_the_one_that_ran_and_asking_for_it_counts_nothing() -> None:
    annealer = Annealer(CHAIN, Annealing(step_size=Ramp(end=0.5, over=3)), noise_until=2)
    assert annealer.last(CHAIN) == CHAIN  # as the first iteration will run it
    for _ in range(4):
        ran = annealer.of(CHAIN)
        assert annealer.last(CHAIN) == ran
    assert annealer.last_of_each({"a": CHAIN, "b": attrs.evolve(CHAIN, steps=3)})["b"].steps == 3
    assert int(annealer.done) == 4
    assert ran == Chain(Langevin(step_size=0.1, temperature=0.5, noise=False), 10)


def test_the_count_is_saved_so_that_a_resumed_run_goes_on_in_the_middle() -> None:
    annealing = Annealing(steps=Ramp(end=2.0, over=4))
    whole, resumed = Annealer(CHAIN, annealing), Annealer(CHAIN, annealing)
    before = [whole.of(CHAIN).steps for _ in range(3)]
    resumed.load_state_dict(whole.state_dict())
    assert (
        [resumed.of(CHAIN).steps for _ in range(2)] == [whole.of(CHAIN).steps for _ in range(2)] == [18, 20]
    )
    assert before == [10, 12, 15]


def test_noise_ends_where_both_are_asked_for() -> None:
    annealer = Annealer(CHAIN, Annealing(temperature=Ramp(end=0.5)), noise_until=1)
    first, second = annealer.of(CHAIN).sampler, annealer.of(CHAIN).sampler
    assert isinstance(first, Langevin)
    assert isinstance(second, Langevin)
    assert (first.noise, first.temperature, second.noise) == (True, 0.25, False)


class Still(Sampler):
    def step(self, energy: EnergyFn, state: State, rng: Rng) -> tuple[State, Info]:
        return state, {}


def test_what_cannot_be_annealed_is_refused() -> None:
    ramp = Ramp(end=0.5, over=3)
    with pytest.raises(ValueError, match="Still has no parameter temperature to anneal"):
        Annealer(Chain(Still(), 1), Annealing(temperature=ramp))
    with pytest.raises(ValueError, match="a step size cannot fall to 0"):
        Annealer(CHAIN, Annealing(step_size=Ramp(end=0.0)))
    graph = Chain(Langevin(), 5, graph=True)
    with pytest.raises(ValueError, match="over 3 iterations would make a new graph in each"):
        Annealer(graph, Annealing(steps=ramp))
    Annealer(graph, Annealing(steps=Ramp(end=0.5)))
    assert Annealer(Chain(Still(), 4), Annealing(steps=Ramp(end=0.5))).of(Chain(Still(), 4)).steps == 2


def test_the_count_is_not_read_where_nothing_depends_on_it() -> None:
    """Reading it would wait for the device: a count without numbers can be counted on, not read."""
    annealer = Annealer(CHAIN)
    annealer.done = torch.zeros((), dtype=torch.int64, device="meta")
    assert annealer.of(CHAIN) is CHAIN
    assert annealer.last(CHAIN) is CHAIN
