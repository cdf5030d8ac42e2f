"""C6: weights of one dtype inside a net of another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Mixed(nn.Module):
    """A head, or the middle, in another dtype, with casts."""

    def __init__(self, kit: Any, where: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 16)), kit.layer(nn.Linear(16, 1), dtype)
        self.conv = kit.layer(nn.Conv2d(1, 4, 3), dtype)
        self.where, self.other, self.own = where, kit.dtype(dtype), kit.dtype()

    def forward(self, x: Tensor) -> Tensor:
        if self.where == "images":
            return self.conv(x.to(self.other)).tanh().sum((1, 2, 3))
        h = self.first(x).tanh()
        value = self.second(h.to(self.other)).squeeze(1)
        return value if self.where == "head" else value.to(self.own)


def run(kit: Any) -> None:
    for dtype in (torch.float64, torch.bfloat16):
        for where in ("head", "cast back"):
            kit.chain(f"{where} {dtype}", Mixed(kit, where, dtype), kit.numbers(4, 6))
        kit.chain(f"images {dtype}", Mixed(kit, "images", dtype), kit.numbers(2, 1, 8, 8))
    net = Mixed(kit, "head", torch.float64)
    kit.chain("a method", net.forward, kit.numbers(4, 6))
