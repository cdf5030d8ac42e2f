"""Energies that turn along the chain by what no operation shows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Energy, EnergyFn, Gradient, Rng, ValueAndGradient, run_chain, value_and_gradient, walk
from ebmkit.core.gradient import Prepared
from ebmkit.errors import WrongGradientError
from ebmkit_langevin.langevin import Langevin

SAMPLER = Langevin(step_size=1.0)


def plain(energy: Energy) -> EnergyFn:
    """A function, which is nothing that a plugin reads."""

    def evaluated(x: Tensor) -> Tensor:
        value: Tensor = energy(x)
        return value

    return evaluated


class Turning(Energy):
    """A tenth of itself far away, or with a tenth of its gradient; how far, another thread finds out."""

    def __init__(self, *, cut: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(4, 32), nn.Linear(32, 1)
        self.cut, self.calls = cut, count()  # which is no change of an attribute

    def forward(self, x: Tensor) -> Tensor:
        next(self.calls)
        value = 20 * self.second(self.first(x).tanh()).squeeze(1)
        with ThreadPoolExecutor(1) as pool:
            far = pool.submit(lambda: x.abs().max().item() > 3.0).result()
        return 0.1 * value + (0.9 * value.detach() if self.cut else 0) if far else value


class Doubled(Energy):
    """Made of another one, whose gradient it takes."""

    def __init__(self, part: Energy) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        return 2 * self.part(x)

    def prepare(self, x: Tensor) -> Gradient:
        part = Prepared(self.part, x)

        def gradient(x: Tensor) -> ValueAndGradient:
            value, slope = value_and_gradient(part, x)
            return ValueAndGradient(2 * value, 2 * slope)

        return gradient


def start(rows: int = 5) -> Tensor:
    return 0.2 * Rng(3).normal(torch.empty(rows, 4))


def by_autograd(energy: Energy, x: Tensor, steps: int) -> Tensor:
    return run_chain(SAMPLER, plain(energy), x, steps=steps, rng=Rng(1)).x


@pytest.mark.parametrize("steps", [8, 40])
def test_a_chain_under_an_energy_that_turned_is_run_again_by_autograd(steps: int) -> None:
    energy, x = Turning().eval(), start()
    with pytest.warns(RuntimeWarning, match=r"fastconv.*along a chain.*chains of Turning take autograd's"):
        found = run_chain(SAMPLER, energy, x, steps=steps, rng=Rng(1))
    assert torch.equal(found.x, by_autograd(energy, x, steps))
    assert found.start_energy is not None
    assert torch.allclose(found.start_energy, energy(x))
    before = next(energy.calls)
    again = run_chain(SAMPLER, energy, x, steps=steps, rng=Rng(1))
    assert torch.equal(again.x, found.x)
    assert next(energy.calls) == before + 1 + steps  # nobody reads it again


def test_the_part_is_blamed_and_not_what_is_made_of_it() -> None:
    energy, x = Doubled(Turning()).eval(), start()
    with pytest.warns(RuntimeWarning, match="fastconv.*chains of Turning take"):
        found = run_chain(SAMPLER, energy, x, steps=8, rng=Rng(1))
    assert torch.allclose(found.x, by_autograd(energy, x, 8), rtol=1e-4, atol=1e-4)


def test_a_walk_follows_an_energy_that_turns() -> None:
    energy, x = Turning().eval(), start()
    for (state, _), (exact, _) in zip(
        *(islice(walk(SAMPLER, each, x, rng=Rng(1)), 12) for each in (energy, plain(energy))), strict=True
    ):
        assert torch.allclose(state.x, exact.x, rtol=1e-4, atol=1e-4)


def test_a_walk_cannot_take_back_its_steps_and_says_so() -> None:
    energy, x = Turning(cut=True).eval(), start()
    descent = Langevin(step_size=1.0, noise=False)
    with pytest.warns(RuntimeWarning, match="along a chain"):
        *_, before, last = [state.x for state, _ in walk(descent, energy, x, rng=Rng(1), steps=17)]
    ((state, _),) = walk(descent, plain(energy), before, rng=Rng(1), steps=1)
    assert torch.equal(state.x, last)


def test_a_run_that_verifies_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBMKIT_VERIFY", "first")
    with pytest.raises(WrongGradientError, match="Turning"):
        run_chain(SAMPLER, Turning().eval(), start(), steps=8, rng=Rng(1))


def test_what_is_off_at_one_place_is_no_fault() -> None:
    """As the gradient is where a unit of a ReLU falls on the other side of zero."""

    class OffOnce(Energy):
        asked = 0

        def forward(self, x: Tensor) -> Tensor:
            return x.square().sum(1) / 2

        def prepare(self, x: Tensor) -> Gradient:
            def gradient(x: Tensor) -> ValueAndGradient:
                self.asked += 1
                return ValueAndGradient(self(x), x * (1.3 if self.asked == 62 else 1.0))

            return gradient

    energy = OffOnce()
    run_chain(SAMPLER, energy, start(), steps=60, rng=Rng(1))
    assert energy.asked == 2 + 60 + 1  # two before use, and a second look at the end


def test_an_energy_whose_rows_have_data_of_their_own_is_asked_for_all_of_them() -> None:
    class Posterior(Energy):
        wrong = False

        def __init__(self, data: Tensor) -> None:
            super().__init__()
            self.register_buffer("data", data)

        def forward(self, x: Tensor) -> Tensor:
            return (x - self.data).square().sum(1) / 2

        def prepare(self, x: Tensor) -> Gradient:
            return lambda x: ValueAndGradient(self(x), (x - self.data) * (0.5 if self.wrong else 1.0))

    energy, x = Posterior(start()).eval(), start()
    for steps in (5, 60):
        run_chain(SAMPLER, energy, x, steps=steps, rng=Rng(1))
    energy.wrong = True
    with pytest.warns(RuntimeWarning, match="along a chain"):
        found = run_chain(SAMPLER, energy, x, steps=60, rng=Rng(1))
    assert torch.equal(found.x, by_autograd(energy, x, 60))
