"""S6: chains as a graph, of an energy that changes otherwise than by its weights: in gradients alone, too."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as tables

SWITCH = {"of the module": False}


class Toy(nn.Module):
    """Two linear layers, between which a gradient may be cut."""

    cut_of_class = False

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(2, 16)), kit.layer(nn.Linear(16, 1))
        self.cuts = [False]

    def forward(self, x: Tensor) -> Tensor:
        h = functional.silu(self.first(x))
        if self.cut_of_class or self.cuts[0] or SWITCH["of the module"]:
            h = weakened(h)
        gain = float(os.environ.get("EBMKIT_HOSTILE_GAIN", "3"))
        return gain * self.second(h).squeeze(1) + x.square().sum(1) / 2


def weakened(h: Tensor) -> Tensor:
    """The same number with a tenth of its gradient."""
    return h.detach() + 0.1 * (h - h.detach())


def run(kit: Any) -> None:
    net, x = Toy(kit), kit.numbers(16, 2)
    kit.chain("first", net, x, steps=1, graph=True)
    changes = {
        "a hook before": lambda: net.second.register_forward_pre_hook(lambda m, args: (weakened(args[0]),)),
        "a hook after": lambda: net.first.register_forward_hook(lambda m, args, h: weakened(h)),
        "a hook on the way back": lambda: net.second.register_full_backward_hook(
            lambda m, inner, outer: (inner[0] * 0.1,)
        ),
        "a hook of all": lambda: tables.register_module_full_backward_hook(
            lambda m, inner, outer: (
                (inner[0] * 0.1,) if isinstance(m, nn.Linear) and len(inner) == 1 else None
            )
        ),
    }
    for name, change in changes.items():
        handle = change()
        kit.chain(name, net, x, steps=1, graph=True)
        handle.remove()
    for name, begin, end in (
        (
            "a class attribute",
            lambda: setattr(Toy, "cut_of_class", True),
            lambda: setattr(Toy, "cut_of_class", False),
        ),
        ("an entry of a list", lambda: net.cuts.__setitem__(0, True), lambda: net.cuts.__setitem__(0, False)),
        (
            "a global",
            lambda: SWITCH.__setitem__("of the module", True),
            lambda: SWITCH.__setitem__("of the module", False),
        ),
    ):
        begin()
        kit.chain(name, net, x, steps=1, graph=True)
        end()
    os.environ["EBMKIT_HOSTILE_GAIN"] = "0.5"  # which nothing that describes the energy sees
    kit.chain("an environment", net, x, steps=1, graph=True)
    del os.environ["EBMKIT_HOSTILE_GAIN"]
    with torch.no_grad():
        net.second.weight.mul_(2.0)
    kit.chain("weights", net, x, steps=1, graph=True)
