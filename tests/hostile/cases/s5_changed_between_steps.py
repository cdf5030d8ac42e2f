"""S5: an energy that is changed while it is walked under, or between chains."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

PULL = 1.0


class Tempered(nn.Module):
    """β and a shift, one an attribute, one a buffer."""

    shrink = 1.0

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.net = nn.Sequential(kit.layer(nn.Linear(6, 32)), nn.Tanh(), kit.layer(nn.Linear(32, 1)))
        self.beta = 2.0
        self.register_buffer("shift", kit.numbers(1))
        self.gains = [1.0, 1.0]

    def forward(self, x: Tensor) -> Tensor:
        return self.beta * self.net(x).squeeze(1) * self.gains[
            1
        ] * self.shrink * PULL + self.shift * x.square().sum(1)


def changes(kit: Any) -> dict[str, Any]:
    def attribute(net: Any) -> None:
        net.beta *= 0.5

    def buffer(net: Any) -> None:
        net.shift = net.shift * 3

    def in_place(net: Any) -> None:
        with torch.no_grad():
            net.net[2].weight.mul_(0.5)

    def layer(net: Any) -> None:
        net.net[1] = nn.SiLU()

    def weight(net: Any) -> None:
        net.net[0].weight = nn.Parameter(net.net[0].weight.detach() * 2)

    def listed(net: Any) -> None:
        net.gains[1] *= 0.25

    def of_class(net: Any) -> None:
        type(net).shrink = type(net).shrink * 0.5

    def hook(net: Any) -> None:
        net.net[0].register_forward_hook(lambda module, args, output: output * 0.5)

    def pre_hook(net: Any) -> None:
        net.net[2].register_forward_pre_hook(lambda module, args: (args[0] * 0.5,))

    def of_module(net: Any) -> None:
        globals().update(PULL=0.25)

    def method(net: Any) -> None:
        net.net[1].forward = torch.sigmoid

    return {
        each.__name__: each
        for each in (
            attribute,
            buffer,
            in_place,
            layer,
            weight,
            listed,
            of_class,
            hook,
            pre_hook,
            of_module,
            method,
        )
    }


def run(kit: Any) -> None:
    for name, change in changes(kit).items():
        globals().update(PULL=1.0)
        Tempered.shrink = 1.0
        net, x = Tempered(kit), kit.numbers(4, 6)
        kit.walk(
            f"{name} between steps", net, x, steps=3, between=lambda _, net=net, change=change: change(net)
        )
        globals().update(PULL=1.0)
        net = Tempered(kit)
        kit.chain(f"before {name}", net, x)
        change(net)
        kit.chain(f"after {name}", net, x)
    net = Tempered(kit)
    kit.chain("before .data", net, x)
    net.net[0].weight.data.mul_(2)
    net.shift.data.mul_(2)
    kit.chain("after .data", net, x)
