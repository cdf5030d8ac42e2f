"""What is noticed between two steps of a chain, and what is not a change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ebmkit.core.snapshot import Snapshot

LEVEL, SHARED, CONFIG = 1.0, {"scale": 1.0}, SimpleNamespace(scale=1.0)
LOG = logging.getLogger(__name__)


def _scaled(x: Tensor) -> Tensor:
    LOG.debug("scaled")
    return x * SHARED["scale"] * CONFIG.scale


class Slotted:
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 1.0


class Net(nn.Module):
    """Everything that a forward pass may read."""

    factor = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
        self.beta = 1.0
        self.settings: dict[str, Any] = {"scale": 1.0, "deep": {"list": [1, [2.0]]}}
        self.config, self.slotted = SimpleNamespace(scale=1.0), Slotted()
        self.array, self.chosen = np.ones(3), {"a"}
        self.loose = torch.ones(2)
        self.enclosed = _enclosing({"factor": 1.0})
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return _scaled(x).sum(1) * LEVEL * self.enclosed()


def _enclosing(table: dict[str, float]) -> Callable[..., float]:
    def factor(**change: float) -> float:
        table.update(change)
        return table["factor"]

    return factor


@pytest.fixture
def net() -> Iterator[Net]:
    yield Net()
    with suppress(AttributeError):
        Net.factor = 1.0
    globals().update(LEVEL=1.0)
    SHARED["scale"] = CONFIG.scale = 1.0


def _nothing(*_: object) -> None:
    return None


CHANGES: dict[str, Callable[[Net], object]] = {
    "an attribute": lambda net: setattr(net, "beta", 0.9),
    "a new attribute": lambda net: setattr(net, "other", 1),
    "a number in a dictionary": lambda net: net.settings.update(scale=2.0),
    "a list deep down": lambda net: net.settings["deep"]["list"][1].append(3.0),
    "an object's attribute": lambda net: setattr(net.config, "scale", 2.0),
    "a slot": lambda net: setattr(net.slotted, "value", 2.0),
    "a set": lambda net: net.chosen.add("b"),
    "numbers of an array": lambda net: net.array.__setitem__(0, 5.0),
    "a tensor that is no buffer": lambda net: net.loose.add_(1),
    "a buffer in place": lambda net: net.scale.add_(1),
    "a buffer, assigned": lambda net: setattr(net, "scale", torch.ones(())),
    "a parameter in place": lambda net: net.layers[0].weight.detach().add_(1),
    "a parameter, assigned": lambda net: setattr(net.layers[0], "weight", nn.Parameter(torch.ones(2, 2))),
    "a layer": lambda net: setattr(net, "layers", nn.Identity()),
    "a layer of a stack": lambda net: net.layers.__setitem__(1, nn.ReLU()),
    "the mode": lambda net: net.layers[1].train(not net.layers[1].training),
    "a forward pre-hook": lambda net: net.layers[1].register_forward_pre_hook(_nothing),
    "a forward hook": lambda net: net.register_forward_hook(_nothing),
    "a backward hook": lambda net: net.layers.register_full_backward_hook(_nothing),
    "a backward pre-hook": lambda net: net.register_full_backward_pre_hook(_nothing),
    "the class": lambda net: setattr(Net, "factor", 2.0),
    "a global": lambda net: globals().update(LEVEL=2.0),
    "an entry of a global that a function of forward's reads": lambda net: SHARED.update(scale=2.0),
    "an attribute of such a global": lambda net: setattr(CONFIG, "scale", 2.0),
    "what a function encloses": lambda net: net.enclosed(factor=2.0),
    "forward of one object": lambda net: setattr(net, "forward", _nothing),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_noticed(net: Net, name: str) -> None:
    snapshot = Snapshot(net)
    assert snapshot.holds()
    CHANGES[name](net)
    assert not snapshot.holds()


def test_a_hook_for_all_modules_is_noticed(net: Net) -> None:
    snapshot = Snapshot(net)
    handle = nn.modules.module.register_module_forward_pre_hook(_nothing)
    try:
        assert not snapshot.holds()
    finally:
        handle.remove()
    assert snapshot.holds()


def test_evaluating_is_no_change(net: Net) -> None:
    snapshot = Snapshot(net)
    net(torch.ones(1, 2))
    assert snapshot.holds()


def test_what_cannot_be_described_never_holds(net: Net) -> None:
    net.array = np.zeros(100_000)
    assert not Snapshot(net).holds()
