"""N1: numbers that leave torch and steer what is computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Steered(nn.Module):
    """A branch on what x is, seldom taken where a chain starts, always taken where it goes."""

    def __init__(self, kit: Any, way: str) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.pull = kit.layer(nn.Linear(6, 1))
        self.way = way

    def far(self, x: Tensor) -> bool:
        itself, x = x, x.detach()
        return {
            "nested lists": lambda: max(abs(each) for row in itself.tolist() for each in row),
            "nested lists, detached": lambda: max(abs(each) for row in x.tolist() for each in row),
            "item": lambda: x.abs().max().item(),
            "tolist": lambda: max(map(abs, x.flatten().tolist())),
            "numpy": lambda: abs(x.double().numpy()).max(),
            "numpy of itself": lambda: abs(x.numpy()).max(),
            "memory": lambda: max(
                map(
                    abs,
                    memoryview(x.numpy()).cast("B").cast("f" if x.dtype == torch.float32 else "d").tolist(),
                )
            ),
            "entry": lambda: x[0, 0].item() + 100 * float(x.std()),
            "comparison": lambda: 100.0 if (x.abs() > 3).any() else 0.0,
            "data": lambda: x.data.abs().amax().item(),
            "equal": lambda: 0.0 if torch.equal(x.clamp(-3, 3), x) else 100.0,
        }[self.way]() > 3.0

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).tanh()
        value = 20 * self.second(h).squeeze(1)
        return 0.1 * value if self.far(x) else value


def run(kit: Any) -> None:
    for way in (
        "item",
        "tolist",
        "numpy",
        "numpy of itself",
        "memory",
        "entry",
        "comparison",
        "data",
        "equal",
        "nested lists",
        "nested lists, detached",
    ):
        net, x = Steered(kit, way), kit.numbers(2, 6, scale=0.2)
        kit.chain(way, net, x, steps=8)
    x = kit.numbers(2, 6)
    for name, number in (
        ("a factor", lambda h: float(h.detach().norm())),
        ("of numpy", lambda h: float(abs(h.detach().numpy()).sum())),
    ):
        kit.chain(name, Scaled(kit, number), x, steps=2)
    kit.chain("an array", Arrayed(kit), x, steps=2)


class Scaled(nn.Module):
    """A number made of x, of one row, times a network."""

    def __init__(self, kit: Any, number: Any) -> None:
        super().__init__()
        self.first, self.second, self.number = (
            kit.layer(nn.Linear(6, 32)),
            kit.layer(nn.Linear(32, 1)),
            number,
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(
            [self.second(self.first(row[None]).tanh()).squeeze(1) * self.number(row) for row in x]
        )


class Arrayed(nn.Module):
    """Weights that numpy makes of x."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))

    def forward(self, x: Tensor) -> Tensor:
        shares = torch.from_numpy(abs(x.detach().numpy()).mean(1))
        return self.second(self.first(x).tanh()).squeeze(1) * shares
