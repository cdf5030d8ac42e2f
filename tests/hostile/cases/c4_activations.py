"""C4: activations with parameters that nobody expected."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


def run(kit: Any) -> None:
    modules = {
        "softplus 2": nn.Softplus(beta=2),
        "softplus threshold": nn.Softplus(threshold=1),
        "leaky -0.1": nn.LeakyReLU(-0.1),
        "leaky 2": nn.LeakyReLU(2.0),
        "leaky 0": nn.LeakyReLU(0.0),
        "leaky in place": nn.LeakyReLU(0.3, inplace=True),
    }
    functions = {
        "softplus beta": lambda h: functional.softplus(h, beta=3),
        "softplus by place": lambda h: functional.softplus(h, 0.01),
        "leaky by name": lambda h: functional.leaky_relu(h, negative_slope=-0.3),
        "relu in place by name": lambda h: functional.relu(h, inplace=True),
        "silu in place": lambda h: functional.silu(h, inplace=True),
        "silu true": lambda h: functional.silu(h, True),
    }
    for name, act in {**modules, **functions}.items():
        net = Energy(kit, act)
        kit.chain(name, net, kit.numbers(4, 6))
        kit.gradient(f"{name}, gradient", Images(kit, act), kit.numbers(2, 1, 8, 8))


class Energy(nn.Module):
    """Two linear layers."""

    def __init__(self, kit: Any, act: Any) -> None:
        super().__init__()
        self.first, self.second, self.act = kit.layer(nn.Linear(6, 16)), kit.layer(nn.Linear(16, 1)), act

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.act(self.first(x))).squeeze(1)


class Images(nn.Module):
    """Two convolutions."""

    def __init__(self, kit: Any, act: Any) -> None:
        super().__init__()
        self.first, self.second, self.act = kit.layer(nn.Conv2d(1, 8, 3)), kit.layer(nn.Conv2d(8, 4, 3)), act

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.act(self.first(x))).sum((1, 2, 3))
