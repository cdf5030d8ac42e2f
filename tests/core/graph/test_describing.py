"""What can change an answer changes the description; what cannot be compared has none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ebmkit.core import Energy
from ebmkit.core.graph.description import IndescribableError, described
from ebmkit_langevin.langevin import Langevin
from tests.core.graph import rich_energy
from tests.core.graph.rich_energy import TABLE, Base, Rich, Settings, hook
from tests.models import double


def test_zero_has_a_sign(energy: Rich) -> None:
    energy.number = 0.0
    before = described(energy)
    energy.number = -0.0
    assert described(energy) != before


class Small(Energy):
    """What its class defines is found to hold without being read again, were it not for the table."""

    table: ClassVar[dict[str, float]] = {"a": 1.0}
    factor = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1) * self.table["a"] * self.factor


def test_definitions_that_held_before_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    energy = Small()
    before = described(energy)
    monkeypatch.setitem(Small.table, "a", 2.0)
    assert described(energy) != before
    monkeypatch.setattr(Small, "table", ())
    before = described(energy)
    assert described(energy) == before
    monkeypatch.setattr(Small, "factor", 2.0)
    assert described(energy) != before


def through(net: nn.Module) -> Callable[[Tensor], Any]:
    def called(x: Tensor) -> Any:
        return net(x)

    return called


REFUSED: dict[str, tuple[Callable[[Rich], object], str]] = {
    "forward": (lambda e: e.register_forward_hook(hook), r"Rich '' has hooks \(_forward_hooks\)"),
    "forward of a layer": (lambda e: e.net[1].register_forward_hook(hook), "Softplus 'net.1' has hooks"),
    "before forward": (lambda e: e.net.register_forward_pre_hook(hook), r"hooks \(_forward_pre_hooks\)"),
    "backward": (lambda e: e.net[0].register_full_backward_hook(hook), r"hooks \(_backward_hooks\)"),
    "before backward": (lambda e: e.register_full_backward_pre_hook(hook), r"hooks \(_backward_pre_hooks\)"),
    "a lock": (lambda e: setattr(e, "lock", threading.Lock()), r"Rich\.lock is a lock, which cannot"),
    "a generator": (lambda e: setattr(e, "source", (x for x in ())), r"Rich\.source is a generator"),
    "a hidden network": (lambda e: setattr(e, "nets", [nn.Linear(1, 1)]), r"Rich\.nets\[0\] is a network"),
    "a weight in a list": (lambda e: setattr(e, "ws", [e.net[0].weight]), r"Rich\.ws\[0\] is a weight"),
    "a large tensor": (lambda e: setattr(e, "big", torch.ones(20_000)), r"Rich\.big is a large tensor"),
    "a large array": (lambda e: setattr(e, "big", np.ones(20_000)), r"Rich\.big is a large array"),
    "too much": (
        lambda e: setattr(e, "many", [[] for _ in range(30_000)]),
        "too much to compare",
    ),
    "a closure over a network": (
        lambda e: setattr(e, "times", through(nn.Identity())),
        "net of .* is a network",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_compared_is_named(what: str, energy: Rich) -> None:
    change, message = REFUSED[what]
    change(energy)
    with pytest.raises(IndescribableError, match=message):
        described(energy)


def test_objects_that_lead_back_to_the_energy_are_no_circle(energy: Rich) -> None:
    energy.settings = SimpleNamespace(owner=energy, product=1.0)  # type: ignore[assignment]
    energy.settings.itself = energy.settings  # type: ignore[attr-defined]
    before = described(energy)
    assert described(energy) == before
    energy.settings.product = 2.0  # type: ignore[misc]
    assert described(energy) != before


def test_a_state_that_is_a_weight_of_another_size_is_no_secret(energy: Rich) -> None:
    energy.shift = double(4)
    assert described(energy) != described(Rich().eval())


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def _other_forward(self: Rich, x: Tensor) -> Tensor:
    return self.score(x)


Change = Callable[[Rich, pytest.MonkeyPatch], object]


CHANGES: dict[str, Change] = {
    "an attribute": lambda e, m: setattr(e, "number", 2.0),
    "an attribute of another type": lambda e, m: setattr(e, "number", 1),
    "minus zero": lambda e, m: setattr(e, "number", -0.0),
    "an item of a list": lambda e, m: e.numbers.__setitem__(0, 2.0),
    "an item deep inside": lambda e, m: e.numbers[1].__setitem__("a", (3.0,)),
    "a set": lambda e, m: e.tags.add("b"),
    "an array": lambda e, m: e.array.__setitem__(0, 2.0),
    "a tensor": lambda e, m: e.shift.add_(1),
    "a tensor, uncounted": lambda e, m: e.shift.data.add_(1),
    "an object's attribute": lambda e, m: e.settings.beta.__setitem__(0, 2.0),
    "an object's class": lambda e, m: m.setattr(Settings, "factor", 2.0),
    "a property": lambda e, m: m.setattr(Settings, "product", property(lambda self: 3.0)),
    "a closure": lambda e, m: e.factor().__setitem__(0, 2.0),
    "a class attribute": lambda e, m: m.setattr(Rich, "slope", 2.0, raising=False),
    "one of a class above": lambda e, m: m.setattr(Base, "slope", 2.0),
    "a dictionary of a class": lambda e, m: m.setitem(Base.named, "offset", 1.0),
    "a method": lambda e, m: m.setattr(Base, "score", lambda self, x: x.sum(1)),
    "a method's code": lambda e, m: m.setattr(Base.score, "__code__", _other_forward.__code__),
    "a default": lambda e, m: m.setattr(Rich.forward, "__kwdefaults__", {"more": 1.0}),
    "a global": lambda e, m: m.setitem(vars(rich_energy), "SCALE", 2.0),
    "a global table": lambda e, m: TABLE["shift"].__setitem__(0, 1.0),
    "a helper": lambda e, m: m.setitem(vars(rich_energy), "helper", lambda x: x),
    "forward of the instance": lambda e, m: setattr(e, "forward", lambda x: x.sum(1)),
    "forward of a layer of torch": lambda e, m: m.setattr(nn.Softplus, "forward", lambda self, x: x),
    "a layer": lambda e, m: e.net.__setitem__(1, Doubled()),
    "a layer's setting": lambda e, m: setattr(e.net[1], "beta", 2.0),
    "a layer more": lambda e, m: e.net.append(nn.Identity()),
    "a mode": lambda e, m: e.net[0].train(),
    "what is learned": lambda e, m: e.net[0].weight.requires_grad_(False),
    "a weight's kind": lambda e, m: e.net[0].float(),
    "a weight's shape": lambda e, m: setattr(e, "mask", torch.ones(1)),
    "a shared weight": lambda e, m: setattr(e.net[2], "bias", e.net[0].bias),
    "which layer comes again": lambda e, m: setattr(e, "again", e.net[2]),
    "a shared layer": lambda e, m: e.net.__setitem__(2, e.net[0]),
    "a parametrization": lambda e, m: parametrize.register_parametrization(e.net[0], "weight", Doubled()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_can_change_an_answer_changes_the_description(
    what: str, energy: Rich, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = described(energy)
    assert described(energy) == before
    assert hash(described(energy)) == hash(before)
    try:
        CHANGES[what](energy, monkeypatch)
        assert described(energy) != before
        assert described(energy) == described(energy)
    finally:
        TABLE["shift"][0] = 0.0


def test_an_energy_made_anew_is_described_alike_whatever_its_weights() -> None:
    energy, other = Rich().eval(), Rich().eval()
    with torch.no_grad():
        energy.net[0].weight.mul_(2)
        energy.mask.zero_()
    energy.number, other.number = float("nan"), float("nan")
    assert described(energy, Langevin(step_size=0.1)) == described(other, Langevin(step_size=0.1))
    assert described(energy, Langevin(step_size=0.1)) != described(other, Langevin(step_size=0.2))
