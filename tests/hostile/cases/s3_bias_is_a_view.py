"""S3: biases that are strided or expanded views."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Viewed(nn.Module):
    """A wide convolution whose bias is a view of something else."""

    def __init__(self, kit: Any, way: str) -> None:
        super().__init__()
        self.first = kit.layer(nn.Conv2d(3, 64, 3, padding=1))
        self.wide = kit.layer(nn.Conv2d(64, 64, 3, padding=1))
        self.table = nn.Parameter(kit.numbers(64, 8))
        self.level = nn.Parameter(kit.numbers(1))
        if way == "parameter":
            self.wide.bias = nn.Parameter(
                kit.numbers(64, 5).t()[1] if way == "row" else kit.numbers(64, 5)[:, 1]
            )
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        bias = {"column": self.table[:, 3], "expanded": self.level.expand(64), "parameter": self.wide.bias}[
            self.way
        ]
        return functional.conv2d(h, self.wide.weight, bias, padding=1).tanh().sum((1, 2, 3))


def run(kit: Any) -> None:
    x = kit.numbers(16, 3, 16, 16)
    for way in ("column", "expanded", "parameter"):
        net = Viewed(kit, way)
        kit.gradient(f"{way}, gradient", net, x)
        kit.chain(way, net, x)
        kit.learn(f"{way}, learning", net, lambda net=net: net(x).sum(), net.parameters())
    stack = nn.Sequential(
        kit.layer(nn.Conv2d(3, 64, 3)), nn.ReLU(), kit.layer(nn.Conv2d(64, 64, 3)), nn.ReLU()
    )
    stack[2].bias = nn.Parameter(kit.numbers(64, 7)[:, 2])
    net = nn.Sequential(stack, nn.Flatten(), kit.layer(nn.Linear(64 * 12 * 12, 1)), nn.Flatten(0))
    kit.chain("a stack", net, x)
    dense = nn.Sequential(kit.layer(nn.Linear(8, 64)), nn.SiLU(), kit.layer(nn.Linear(64, 1)), nn.Flatten(0))
    dense[0].bias = nn.Parameter(kit.numbers(64, 7)[:, 2])
    kit.chain("linear layers", dense, kit.numbers(4, 8))
