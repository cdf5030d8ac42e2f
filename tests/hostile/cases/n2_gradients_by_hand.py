"""N2: gradients that are not those of the operations that were seen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn


class Reversed(torch.autograd.Function):
    """The identity, backwards its negative: gradient reversal as everybody writes it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


class Clipped(torch.autograd.Function):
    """The identity, backwards a clamp that acts on large gradients alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.clamp(-1.0, 1.0)


class ByHand(nn.Module):
    """Small where the chain starts, so that what acts on large gradients does not show there."""

    def __init__(self, kit: Any, way: str) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        way, watched = self.way, x.requires_grad
        if way == "hook of x" and watched:
            x.register_hook(lambda g: g.clamp(-1.0, 1.0))
        x = Reversed.apply(x) if way == "reversed" else x
        h = self.first(x)
        if way == "hook" and watched:
            h.register_hook(lambda g: g.clamp(-1.0, 1.0))
        if way == "clipped":
            h = Clipped.apply(h)
        if way == "half without gradient":
            with torch.no_grad():
                cut = 0.5 * h
            h = h + cut
        if way == "hook of another thread" and watched:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(h.register_hook, lambda g: g.clamp(-1.0, 1.0)).result()
        y = h.tanh()
        if way == "hook after use" and watched:
            h.register_hook(lambda g: g.clamp(-1.0, 1.0))
        if way == "hook of x after use" and watched:
            x.register_hook(lambda g: g.clamp(-1.0, 1.0))
        if way == "hook of the node" and watched:
            h.grad_fn.register_hook(
                lambda inputs, outputs: tuple(g if g is None else g.clamp(-1.0, 1.0) for g in inputs)
            )
        if way == "hook before the node" and watched:
            y.grad_fn.register_prehook(lambda outputs: tuple(g.clamp(-0.5, 0.5) for g in outputs))
        value = self.second(y).squeeze(1)
        if way == "hook of the value" and watched:
            value.register_hook(lambda g: g * 0.5)
        return value * 3 + 3 * y.mean(1) * value if way == "squared" else 3 * value


class Cut(nn.Module):
    """Features that have no gradient, beside a term that has."""

    def __init__(self, kit: Any, way: str) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        if self.way == "without a graph":
            with torch.no_grad():
                h = self.first(x)
        else:
            h = self.first(x).detach() if self.way == "detached" else self.first(x.data)
        return self.second(h.tanh()).squeeze(1) + x.square().sum(1) / 2


def run(kit: Any) -> None:
    ways = [
        "reversed",
        "clipped",
        "half without gradient",
        "hook",
        "hook of x",
        "hook after use",
        "hook of x after use",
        "hook of another thread",
    ]
    for way in [*ways, "hook of the node", "hook before the node", "hook of the value", "squared"]:
        net, x = ByHand(kit, way), kit.numbers(4, 6, scale=0.5)
        with torch.no_grad():
            net.second.weight.mul_(0.3)  # nothing acts at the start
        kit.chain(f"{way}, small", net, x, steps=2)
        with torch.no_grad():
            net.second.weight.mul_(30)  # and now it does
        kit.chain(f"{way}, large", net, x, steps=4)
    for way in ("detached", "data", "without a graph"):
        cut, x = Cut(kit, way), kit.numbers(4, 6)
        with torch.no_grad():
            cut.second.weight.zero_()  # as many begin: no gradient shows anything
        kit.chain(f"{way}, at first 0", cut, x, steps=1)
        with torch.no_grad():
            cut.second.weight.add_(0.5)
        kit.chain(f"{way}, then not", cut, x)
