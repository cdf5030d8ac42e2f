"""An energy that holds something of everything that can change its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ebmkit.core import Energy

SCALE = 1.0


TABLE = {"shift": [0.0]}


def helper(x: Tensor) -> Tensor:
    return x * SCALE + TABLE["shift"][0]


class Base(Energy):
    slope = 1.0
    named: ClassVar[dict[str, float]] = {"offset": 0.0}

    def score(self, x: Tensor) -> Tensor:
        return helper(x).sum(1) * self.slope + self.named["offset"]


class Settings:
    factor = 1.0

    def __init__(self) -> None:
        self.beta = [1.0]

    @property
    def product(self) -> float:
        return self.factor * self.beta[0]


class Rich(Base):
    """Something of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.Softplus(), nn.Linear(4, 4)).double()
        self.again = self.net[0]
        self.register_buffer("mask", torch.ones(4, dtype=torch.float64))
        self.number, self.numbers, self.tags = 1.0, [1.0, {"a": (2.0,)}], {"a"}
        self.array, self.shift = np.ones(4), torch.zeros(4, dtype=torch.float64)
        self.settings = Settings()
        factor = [1.0]
        self.times: Callable[[Tensor], Tensor] = lambda x: x * factor[0]
        self.factor = lambda: factor

    def forward(self, x: Tensor, *, more: float = 0.0) -> Tensor:
        x = self.times(x * self.mask + self.shift + torch.from_numpy(self.array)) * self.number
        if "b" in self.tags:
            x = x + self.numbers[1]["a"][0]
        return self.score(self.net(x)) * self.settings.product + more


def hook(*arguments: Any) -> None:
    pass
