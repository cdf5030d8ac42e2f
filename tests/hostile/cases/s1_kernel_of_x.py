"""S1: a convolution whose kernel is computed from x (style modulation)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Styled(nn.Module):
    """One row at a time, its kernel scaled by a style that x itself gives."""

    def __init__(self, kit: Any, *, grouped: bool) -> None:
        super().__init__()
        self.first = kit.layer(nn.Conv2d(3, 64, 3, padding=1))
        self.style = kit.layer(nn.Linear(64, 64))
        self.weight = nn.Parameter(kit.numbers(64, 64, 3, 3, scale=0.05))
        self.grouped = grouped

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        styles = 1 + self.style(h.mean((2, 3)))
        if self.grouped:
            weight = (self.weight[None] * styles[:, None, :, None, None]).flatten(0, 1)
            y = functional.conv2d(h.reshape(1, -1, *h.shape[2:]), weight, padding=1, groups=len(x))
            return y.view(len(x), -1).square().mean(1)
        rows = [
            functional.conv2d(row[None], self.weight * style[:, None, None], padding=1)
            for row, style in zip(h, styles, strict=True)
        ]
        return torch.cat(rows).square().mean((1, 2, 3))


def run(kit: Any) -> None:
    for name, grouped, rows in (("rows", False, 2), ("grouped, one row", True, 1)):
        net, x = Styled(kit, grouped=grouped), kit.numbers(rows, 3, 32, 32)
        kit.chain(name, net, x)
        kit.chain(f"{name}, as a method", net.forward, x)
        kit.learn(f"{name}, learning", net, lambda net=net, x=x: net(x).sum(), net.parameters())
