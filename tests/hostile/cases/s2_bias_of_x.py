"""S2: a convolution whose bias is computed from x."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Shifted(nn.Module):
    """A wide convolution with the bias that another layer makes of x."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first = kit.layer(nn.Conv2d(3, 64, 3, padding=1))
        self.shift = kit.layer(nn.Linear(64, 64))
        self.weight = nn.Parameter(kit.numbers(64, 64, 3, 3, scale=0.05))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.first(x))
        shifts = 3 * self.shift(h.mean((2, 3)))
        rows = [
            functional.conv2d(row[None], self.weight, shift, padding=1)
            for row, shift in zip(h, shifts, strict=True)
        ]
        return torch.cat(rows).square().mean((1, 2, 3))


def run(kit: Any) -> None:
    net, x = Shifted(kit), kit.numbers(2, 3, 32, 32)
    kit.chain("rows", net, x)
    kit.learn("learning", net, lambda: net(x).sum(), net.parameters())
