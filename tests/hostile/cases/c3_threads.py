"""C3: threads that sample while others sample, call or train."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Small(nn.Module):
    """Something to read."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *[each for _ in range(6) for each in (kit.layer(nn.Linear(16, 16)), nn.Tanh())]
        )
        self.top = kit.layer(nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.top(self.net(x)).squeeze(1)


def run(kit: Any) -> None:
    nets = [Small(kit) for _ in range(24)]
    x, other = kit.numbers(4, 16), Small(kit)

    def sample(mine: slice) -> None:
        for number, net in list(enumerate(nets))[mine]:
            kit.chain(f"chain {number}", net, x)

    def call() -> None:
        for turn in range(100):
            kit.part(f"call {turn}", lambda: other(x))

    def train() -> None:
        for turn in range(30):
            kit.learn(f"training {turn}", other, lambda: other(x).sum(), other.parameters())

    kit.threads(lambda: sample(slice(0, 24, 2)), lambda: sample(slice(1, 24, 2)), call, train)
    kit.part("afterwards", lambda: kit.layer(nn.Linear(2, 2))(torch.ones(1, 2, dtype=kit.dtype())))
