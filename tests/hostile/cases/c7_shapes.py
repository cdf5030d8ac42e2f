"""C7, C8: states that are neither vectors nor images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Flat(nn.Module):
    """Flatten and linear layers: the scaffold's own energy."""

    def __init__(self, kit: Any, numbers: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), kit.layer(nn.Linear(numbers, 16)), nn.SiLU(), kit.layer(nn.Linear(16, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1)


class Scalar(nn.Module):
    """States without a dimension beside the rows'."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.net = nn.Sequential(kit.layer(nn.Linear(1, 16)), nn.Tanh(), kit.layer(nn.Linear(16, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x[:, None]).squeeze(1) + x.square() / 2


def run(kit: Any) -> None:
    for shape in ((1, 64), (3, 8), (1, 8, 8), (3, 8, 8), (2, 3, 8, 8), (1, 1, 1, 8), (2, 2, 2, 2, 2)):
        numbers = torch.Size(shape).numel()
        net = Flat(kit, numbers)
        kit.chain(f"{shape}", net, kit.numbers(3, *shape))
        kit.gradient(f"{shape}, gradient", net, kit.numbers(1, *shape))
    kit.chain("scalars", Scalar(kit), kit.numbers(5))
    kit.chain("scalars with noise", Scalar(kit), kit.numbers(5), noise=True)
    kit.gradient("scalars, gradient", Scalar(kit), kit.numbers(5))
    kit.chain("scalars, a function", lambda x: x.square() / 2, kit.numbers(5))
