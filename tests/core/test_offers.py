from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Gradient, GradientBackend, Precision, Rng, ValueAndGradient, prepare, run_chain, walk
from tests.core.offering import DESCENT, DESCENT_BY_HALF, MARK, MARKING, Bowl, Marking, Offering, Plain


@pytest.mark.filterwarnings("error")
def test_offers_are_compared_wherever_torch_makes_new_tensors() -> None:
    energy = Bowl()
    with torch.device("meta"):
        found = prepare(energy, torch.ones(4, 2, device="cpu")).value_and_gradient
    x = torch.ones(4, 2)
    assert torch.equal(found(x).gradient, MARK * x)


def test_a_plugin_speeds_up_the_energies_it_knows_and_no_others(offer: Offering) -> None:
    offer(MARKING)
    x = torch.ones(2, 2)
    assert torch.equal(prepare(Plain(), x).value_and_gradient(x).gradient, x * MARK)
    assert torch.equal(prepare(Bowl(), x).value_and_gradient(x).gradient, x * MARK)
    assert torch.equal(prepare(nn.Sequential(Plain()), x).value_and_gradient(x).gradient, x)
    assert torch.equal(prepare(Plain().forward, x).value_and_gradient(x).gradient, x)


class Patient(Marking):
    """Pays from three gradients on."""

    def patience(self, energy: nn.Module) -> int:
        return 3


class Impatient(Marking):
    """Fails at saying what it costs."""

    def patience(self, energy: nn.Module) -> int:
        raise ArithmeticError


@pytest.mark.parametrize(
    ("backends", "expected", "marked"),
    [
        (["Patient"], 2, [False, False, False, True, True]),
        (["Patient"], 3, [True] * 5),
        (["Patient"], None, [True] * 5),
        (["Patient", "Impatient"], 2, [True] * 5),
    ],
)
def test_a_backend_that_pays_later_is_asked_when_so_many_gradients_are_to_come_or_were_taken(
    offer: Offering, backends: list[str], expected: int | None, marked: list[bool]
) -> None:
    offer(*(f"{__name__}:{each}" for each in backends))
    x = torch.ones(2, 2)
    prepared = prepare(Plain(), x, gradients=expected)
    found = [torch.equal(prepared.value_and_gradient(x).gradient, x * MARK) for _ in range(5)]
    assert found == marked


@pytest.mark.parametrize(
    "walked", [run_chain, lambda *args, **keywords: list(walk(*args, **keywords))[-1][0]]
)
def test_a_chain_tells_how_many_gradients_are_to_come(offer: Offering, walked: Callable[..., Any]) -> None:
    offer(f"{__name__}:Patient")
    x = torch.ones(2, 2)
    ends = [walked(DESCENT_BY_HALF, Plain(), x, steps=steps, rng=Rng(0)).x for steps in (2, 3)]
    assert torch.equal(ends[0], x / 4)
    assert torch.equal(ends[1], x * (1 - MARK / 2) ** 3)


def test_an_energy_that_knows_itself_is_asked_at_once(offer: Offering) -> None:
    offer(f"{__name__}:Patient")
    x = torch.ones(2, 2)
    assert torch.equal(prepare(Bowl(), x, gradients=1).value_and_gradient(x).gradient, x * MARK)


class Faulty(GradientBackend):
    """A backend for plain modules that fails where the test says, and otherwise leaves its mark."""

    fails: ClassVar[str] = ""

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
        if self.fails == "asked":
            raise KeyError("no such operation")
        if not isinstance(energy, Plain):
            return None
        calls = count()

        def gradient(x: Tensor) -> ValueAndGradient:
            call = next(calls)
            if self.fails == "computing" or (self.fails == "later" and call == 4):
                raise RuntimeError("shape mismatch")
            wrong = self.fails == "wrong" or (
                self.fails == "wrong away from the start" and not (x == 1).all()
            )
            return ValueAndGradient(energy(x), x * (2 if wrong else MARK))

        return gradient


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (
            "asked",
            r"plugin 'point0' of .* raised KeyError: 'no such operation': chains of Plain take",
        ),
        ("computing", r"plugin 'point0' of .* raised RuntimeError: shape mismatch"),
        ("later", r"plugin 'point0' of .* raised RuntimeError: shape mismatch"),
        ("wrong", r"that backend 'backend0' .plugin 'point0' of .* knows for Plain differs from autograd's"),
        ("wrong away from the start", "differs from autograd's and is not used: its gradient is off by"),
    ],
)
def test_whatever_a_backend_does_the_chain_is_autograds_and_one_warning_names_it(
    offer: Offering, fails: str, said: str
) -> None:
    offer(f"{__name__}:Faulty")
    Faulty.fails = fails
    energy, x = Plain(), torch.ones(3, 2)
    with pytest.warns(RuntimeWarning, match=said) as warned:
        found = run_chain(DESCENT_BY_HALF, energy, x, steps=6, rng=Rng(0)).x
    assert len(warned) == 1
    assert torch.allclose(found, torch.full((3, 2), 0.5**6), rtol=1e-2)
    again = run_chain(DESCENT_BY_HALF, energy, x, steps=6, rng=Rng(0)).x  # without a second warning
    assert torch.equal(again, torch.full((3, 2), 0.5**6))


def test_an_energy_that_fails_is_to_blame_itself(offer: Offering) -> None:
    """No backend is blamed for it: a warning would be an error here."""
    offer(f"{__name__}:Faulty")
    Faulty.fails = ""

    class Broken(Plain):
        def forward(self, x: Tensor) -> Tensor:
            raise ArithmeticError("the energy's own")

    with pytest.raises(ArithmeticError, match="the energy's own"):
        run_chain(DESCENT, Broken(), torch.ones(2, 2), steps=1, rng=Rng(0))


def test_an_offer_is_compared_once_for_each_shape_and_energy(offer: Offering) -> None:
    offer(MARKING)
    evaluated = []

    class Counting(Plain):
        def forward(self, x: Tensor) -> Tensor:
            evaluated.append(len(x))
            return super().forward(x)

    energy = Counting()
    for rows, more in ((3, 7), (3, 3), (4, 7)):
        evaluated.clear()
        run_chain(DESCENT, energy, torch.ones(rows, 2), steps=3, rng=Rng(0))
        assert len(evaluated) == more  # one a step; the first time two states as well, by both
