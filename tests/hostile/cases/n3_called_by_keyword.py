"""N3: layers called by keyword, by position beyond the first, and not at all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Named(nn.Module):
    """``layer(input=h)``."""

    def __init__(self, kit: Any, *, convolution: bool) -> None:
        super().__init__()
        self.first = kit.layer(nn.Conv2d(3, 8, 3) if convolution else nn.Linear(6, 8))
        self.second = kit.layer(nn.Linear(8 * 36 if convolution else 8, 1))
        self.never = kit.layer(nn.Linear(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(input=self.first(input=x))
        return functional.linear(
            weight=self.second.weight, bias=self.second.bias, input=torch.flatten(input=h, start_dim=1)
        ).squeeze(dim=1)


def run(kit: Any) -> None:
    kit.chain("linear", Named(kit, convolution=False), kit.numbers(4, 6))
    kit.chain("convolution", Named(kit, convolution=True), kit.numbers(4, 3, 8, 8))
