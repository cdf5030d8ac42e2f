"""S4: in-place activations as statements, whose result nobody uses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Statement(nn.Module):
    """``h.relu_()`` and its kin."""

    def __init__(self, kit: Any, way: str) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.act = nn.ReLU(inplace=True)
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        if self.way == "method":
            h.relu_()
        elif self.way == "function":
            functional.relu(h, inplace=True)
        elif self.way == "module":
            self.act(h)
        elif self.way == "torch":
            torch.relu_(h)
        elif self.way == "leaky":
            functional.leaky_relu_(h, 0.2)
        elif self.way == "arithmetic":
            h.mul_(2.0)
        elif self.way == "view":
            h.view(-1).tanh_()
        elif self.way == "view of its shape":
            h.view_as(h).relu_()
        elif self.way == "early view":
            g = h.view_as(h)
            h.relu_()
            h = g
        elif self.way == "item":
            h[:, :16] = 0.0
        else:
            h += 1.0
        return self.second(h.tanh()).squeeze(1)


class Image(nn.Module):
    """The same between convolutions, the head a sum."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Conv2d(1, 8, 3)), kit.layer(nn.Conv2d(8, 8, 3))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        h.relu_()
        h = self.second(h)
        return h.sum((1, 2, 3)) + x.square().sum((1, 2, 3)) / 2


class Early(nn.Module):
    """A view that was made before the statement; units are positive where the chain starts."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.top = kit.layer(nn.Conv2d(1, 8, 3)), kit.layer(nn.Linear(8 * 36, 1))
        with torch.no_grad():
            self.first.bias.fill_(2.0)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        g = h.flatten(1)
        h.relu_()
        return 20 * self.top(g).squeeze(1)


class Positive(nn.Module):
    """Units that are positive where the chain starts, so that a check there alone sees nothing."""

    def __init__(self, kit: Any, way: str) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 32))
        self.third = kit.layer(nn.Linear(32, 1))
        self.way = way
        with torch.no_grad():
            self.first.bias.fill_(2.0)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        if self.way == "method":
            h.relu_()
        elif self.way == "function":
            functional.relu(h, inplace=True)
        else:
            functional.leaky_relu_(h, 0.01)
        return 8 * self.third(self.second(h).tanh()).squeeze(1)


def run(kit: Any) -> None:
    for way in (
        *("method", "function", "module", "torch", "leaky", "arithmetic", "item", "sum"),
        *("view", "view of its shape", "early view"),
    ):
        net = Statement(kit, way)
        kit.chain(way, net, kit.numbers(4, 6))
        kit.gradient(f"{way}, gradient", net, kit.numbers(4, 6))
    kit.chain("image", Image(kit), kit.numbers(4, 1, 8, 8))
    kit.chain(
        "image, early view of positive numbers", Early(kit), kit.numbers(4, 1, 8, 8, scale=0.1), steps=12
    )
    for way in ("method", "function", "leaky"):
        net, x = Positive(kit, way), kit.numbers(4, 6, scale=0.1)
        kit.chain(f"{way}, positive at the start", net, x, steps=12)
