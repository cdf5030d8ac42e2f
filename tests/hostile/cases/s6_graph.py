"""S6: chains as a graph, of an energy with hooks or a class attribute that changes."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


class Toy(nn.Module):
    """Two linear layers."""

    gain = 1.0

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(2, 16)), kit.layer(nn.Linear(16, 1))
        self.gains = [1.0]

    def forward(self, x: Tensor) -> Tensor:
        return (
            self.gain * self.gains[0] * self.second(functional.silu(self.first(x))).squeeze(1)
            + x.square().sum(1) / 2
        )


def run(kit: Any) -> None:
    net, x = Toy(kit), kit.numbers(16, 2)
    kit.chain("first", net, x, graph=True)
    handle = net.second.register_forward_pre_hook(lambda module, args: (args[0] * 3,))
    kit.chain("with a hook before", net, x, graph=True)
    handle.remove()
    Toy.gain = 2.0
    kit.chain("another class attribute", net, x, graph=True)
    net.gains[0] = 0.5
    kit.chain("another entry of a list", net, x, graph=True)
