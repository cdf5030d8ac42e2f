"""The energies that speed is measured on.

Of networks f they are E(x) = |x|^2 / 2 s^2 - f(x); others are functions of two numbers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ebmkit.core import Energy, EnergyFn


class Net(Energy):
    """A scalar network f beside a Gaussian reference, written as most people write it."""

    def __init__(self, score: nn.Module, reference_std: float) -> None:
        super().__init__()
        self.score = score
        self.reference_std = reference_std

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).square().sum(1) / (2 * self.reference_std**2) - self.score(x).sum(1)


def paper(top_kernel: int) -> nn.Module:
    """64x64x3, 5x5/2 100 - 5x5/2 200 - kxk/1 400 - linear 100 - linear 1."""
    return nn.Sequential(
        nn.Conv2d(3, 100, 5, 2, 2),
        nn.ReLU(),
        nn.Conv2d(100, 200, 5, 2, 2),
        nn.ReLU(),
        nn.Conv2d(200, 400, top_kernel, 1, top_kernel // 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(400 * 16 * 16, 100),
        nn.Linear(100, 1),
    )


def coop() -> nn.Module:
    """The scene descriptor of pytorch-CoopNets; f is the sum of its 100 outputs."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 5, 2, 1),
        nn.LeakyReLU(),
        nn.Conv2d(64, 128, 3, 2, 1),
        nn.LeakyReLU(),
        nn.Conv2d(128, 256, 3, 1, 1),
        nn.LeakyReLU(),
        nn.Flatten(),
        nn.Linear(256 * 16 * 16, 100),
    )


def texture() -> nn.Module:
    """The texture descriptor of examples/paper/texture_small.toml: 224x224, f is the sum of all responses."""
    return nn.Sequential(
        nn.Conv2d(1, 48, 15, 3, 7),
        nn.LeakyReLU(0.2),
        nn.Conv2d(48, 48, 9, 2, 4),
        nn.LeakyReLU(0.2),
        nn.Conv2d(48, 48, 7, 1, 3),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
    )


def toy() -> nn.Module:
    """2-64-64-1."""
    return nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))


def banana(x: Tensor) -> Tensor:
    """E = a^2 / 2 + (b - a^2 / 2)^2 / 2 s^2 with s = 0.3, x = (a, b): a Gaussian, bent."""
    a, b = x[:, 0], x[:, 1]
    return a.square() / 2 + (b - a.square() / 2).square() / (2 * 0.3**2)


ANGLES = torch.arange(8) * (math.pi / 4)
CENTRES = 2 * torch.stack([ANGLES.cos(), ANGLES.sin()], 1)


def mixture(x: Tensor) -> Tensor:
    """Eight Gaussians of standard deviation 0.3 on a circle of radius 2."""
    distances = (x[:, None] - CENTRES).square().sum(2)
    return -torch.logsumexp(distances / (-2 * 0.3**2), 1)


FUNCTIONS: dict[str, EnergyFn] = {"banana": banana, "mixture": mixture}
"""A handful of tensor operations, which no plugin reads."""

SHAPES = {
    "paper3": (3, 64, 64),
    "paper5": (3, 64, 64),
    "coop": (3, 64, 64),
    "texture": (1, 224, 224),
    "toy": (2,),
    "banana": (2,),
    "mixture": (2,),
}


def build(name: str) -> EnergyFn:
    """The function of that name, or the net with the weights of seed 0."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    torch.manual_seed(0)
    score = {
        "paper3": lambda: paper(3),
        "paper5": lambda: paper(5),
        "coop": coop,
        "texture": texture,
        "toy": toy,
    }[name]()
    return Net(score, 1.0 if name == "toy" else 0.016)
