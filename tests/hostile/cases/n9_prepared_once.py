"""N9: an energy that is prepared once and asked at many states while its tensors change in place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Rows(nn.Module):
    """Weights of every kind."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.register_buffer("scale", kit.numbers(1).exp())
        self.loose, self.hidden = kit.numbers(1).exp(), [kit.layer(nn.Linear(6, 6))]

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.loose * self.second(self.first(self.hidden[0](x)).tanh()).squeeze(1)


def run(kit: Any) -> None:
    changes = {
        "a parameter": lambda net: net.first.weight,
        "a buffer": lambda net: net.scale,
        "a tensor": lambda net: net.loose,
        "a hidden weight": lambda net: net.hidden[0].weight,
    }
    for name, tensor in changes.items():
        net, x = Rows(kit), kit.numbers(4, 6)

        def change(_: int, net: Rows = net, tensor: Any = tensor) -> None:
            with torch.no_grad():
                tensor(net).mul_(0.5)

        kit.prepared(name, net, [x, x, x * 0.5], between=change)
    net = Rows(kit)
    kit.prepared(
        "other shapes", net, [kit.numbers(4, 6), kit.numbers(2, 6), kit.numbers(1, 6)], between=lambda _: None
    )
    images = nn.Sequential(
        kit.layer(nn.Conv2d(3, 8, 3)), nn.ReLU(), nn.Flatten(), nn.AdaptiveAvgPool1d(1), nn.Flatten(0)
    )
    kit.prepared(
        "other sizes", images, [kit.numbers(2, 3, 8, 8), kit.numbers(2, 3, 9, 9)], between=lambda _: None
    )
    plain = Summed(kit)
    kit.prepared(
        "other sizes, read", plain, [kit.numbers(2, 3, 8, 8), kit.numbers(2, 3, 9, 9)], between=lambda _: None
    )
    double = Rows(kit).to(torch.float64)
    double.loose, double.hidden[0] = double.loose.double(), double.hidden[0].double()
    kit.prepared("float64", double, [kit.numbers(4, 6, dtype=torch.float64)], between=lambda _: None)


class Summed(nn.Module):
    """Images of any size."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.conv = kit.layer(nn.Conv2d(3, 8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).tanh().sum((1, 2, 3))
