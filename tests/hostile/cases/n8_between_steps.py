"""N8: changes between steps and chains that show in gradients more than in energies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

WAY = {"gain": 1.0, "cut": False, "hook": False, "offset": 0.0}


class Shared(nn.Module):
    """It asks the module that it was written in."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).tanh()
        if WAY["cut"]:
            h = h.detach() + 0.1 * (h - h.detach())
        if WAY["hook"] and h.requires_grad:
            h.register_hook(lambda g: 0.1 * g)
        return WAY["gain"] * self.second(h).squeeze(1) + WAY["offset"]


def run(kit: Any) -> None:
    x = kit.numbers(4, 6)
    for name, change in {
        "a factor": {"gain": 0.5},
        "a factor near 1": {"gain": 0.9},
        "a gradient that is cut": {"cut": True},
        "a hook": {"hook": True},
        "an offset": {"offset": 1e4},
    }.items():
        for offset in (0.0, 1e4):
            WAY.update(gain=1.0, cut=False, hook=False, offset=offset)
            net = Shared(kit)
            kit.walk(
                f"{name}, {offset}, walk",
                net,
                x,
                steps=3,
                between=lambda step, change=change: WAY.update(change),
            )
            WAY.update(gain=1.0, cut=False, hook=False, offset=offset)
            kit.chain(f"{name}, {offset}, before", net, x)
            WAY.update(change)
            kit.chain(f"{name}, {offset}, after", net, x)
            with torch.no_grad():
                net.second.weight.zero_()
            WAY.update(gain=1.0, cut=False, hook=False, offset=offset)
            kit.chain(f"{name}, {offset}, zero", net, x)
            WAY.update(change)
            with torch.no_grad():
                net.second.weight.add_(0.2)
            kit.chain(f"{name}, {offset}, no longer zero", net, x)
    own(kit, x)


class Own(nn.Module):
    """The same by what it holds itself: only gradients change."""

    cut_of_class = False

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.cut, self.cuts, self.settings = False, [False], {"cut": False, "deep": [{"cut": False}]}
        self.part, self.frozen = Part(), (Part(),)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).tanh()
        parts = [self.part.cut, self.frozen[0].cut, self.settings["deep"][0]["cut"]]
        if any([self.cut, *self.cuts, self.settings["cut"], self.cut_of_class, *parts]):
            h = h.detach() + 0.1 * (h - h.detach())
        return self.second(h).squeeze(1)


class Part:
    """No module."""

    cut = False


def _scaled(gradients: Any, by: float = 0.1) -> Any:
    return tuple(None if each is None else by * each for each in gradients)


def own(kit: Any, x: Tensor) -> None:
    handles = []
    tables = torch.nn.modules.module
    changes = {
        "an attribute": lambda net: setattr(net, "cut", True),
        "an item": lambda net: net.cuts.append(True),
        "an entry": lambda net: net.settings.update(cut=True),
        "a deep entry": lambda net: net.settings["deep"][0].update(cut=True),
        "of the class": lambda net: setattr(Own, "cut_of_class", True),
        "of a part": lambda net: setattr(net.part, "cut", True),
        "of a part in a tuple": lambda net: setattr(net.frozen[0], "cut", True),
        "a backward hook": lambda net: net.first.register_full_backward_hook(lambda m, i, o: _scaled(i)),
        "a backward pre-hook": lambda net: net.second.register_full_backward_pre_hook(
            lambda m, o: _scaled(o)
        ),
        "a backward hook of all": lambda net: handles.append(
            tables.register_module_full_backward_hook(lambda m, i, o: _scaled(i, 0.5))
        ),
    }
    for name, change in changes.items():
        net = Own(kit)
        kit.walk(
            f"{name} of its own",
            net,
            x,
            steps=3,
            between=lambda step, net=net, change=change: change(net) if step == 0 else None,
        )
        for each in handles:
            each.remove()
        Own.cut_of_class = False
