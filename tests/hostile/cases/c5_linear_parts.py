"""C5: free energies of Boltzmann machines, linear energies, sums of networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Machine(nn.Module):
    """-⟨x, a⟩ - Σ softplus(x W + b)."""

    def __init__(self, kit: Any, *, layers: bool) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(kit.numbers(12)), nn.Parameter(kit.numbers(20))
        self.w = nn.Parameter(kit.numbers(12, 20, scale=0.3))
        self.linear = kit.layer(nn.Linear(12, 20)) if layers else None

    def forward(self, x: Tensor) -> Tensor:
        if self.linear is not None:
            return -(x @ self.a) - functional.softplus(self.linear(x)).sum(1)
        return -(x @ self.a) - functional.softplus(x @ self.w + self.b).sum(1)


class Plain(nn.Module):
    """Energies with a layer and no activation, or with no network at all."""

    def __init__(self, kit: Any, way: str) -> None:
        super().__init__()
        self.linear, self.a, self.way = kit.layer(nn.Linear(12, 1)), nn.Parameter(kit.numbers(12)), way
        self.more = kit.layer(nn.Linear(12, 1))

    def forward(self, x: Tensor) -> Tensor:
        return {
            "linear": lambda: self.linear(x).squeeze(1),
            "product": lambda: x @ self.a,
            "quadratic": lambda: x.square().sum(1) / 2,
            "sum": lambda: x.sum(1),
            "linear and quadratic": lambda: x.square().sum(1) + x @ self.a,
            "two networks": lambda: self.linear(x).squeeze(1) + self.more(x).squeeze(1),
            "vector": lambda: torch.mv(x, self.a),
        }[self.way]()


def run(kit: Any) -> None:
    for layers in (False, True):
        net = Machine(kit, layers=layers)
        kit.chain(f"a machine with {'layers' if layers else 'parameters'}", net, kit.numbers(4, 12))
    for way in ("linear", "product", "quadratic", "sum", "linear and quadratic", "two networks", "vector"):
        kit.chain(way, Plain(kit, way), kit.numbers(4, 12))
