"""S10: an energy that is a method of a module with dropout and batch norm."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Classifier(nn.Module):
    """JEM: the energy is one of the things that the module can do."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.net = nn.Sequential(
            kit.layer(nn.Conv2d(1, 8, 3)),
            nn.BatchNorm2d(8, dtype=kit.dtype()),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Flatten(),
        )
        self.top = kit.layer(nn.Linear(8 * 36, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.top(self.net(x))

    def energy(self, x: Tensor) -> Tensor:
        return -self(x).logsumexp(1)


def run(kit: Any) -> None:
    net, x = Classifier(kit), kit.numbers(8, 1, 8, 8)
    kit.watch(net=net)
    kit.chain("method", net.energy, x)
    kit.chain("again", net.energy, x, noise=True)
