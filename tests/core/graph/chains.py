"""Chains in graphs, which run here on the CPU again and again over the same memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmkit.core import Sampler
from ebmkit.core.graph.capturing import Held
from ebmkit.core.graph.compiling import Function
from ebmkit.core.graph.recording import recorded
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.hmc import HMC
from tests.models import LinearDescriptor, double

SAMPLERS: list[Sampler] = [
    Langevin(step_size=0.3),
    Langevin(step_size=0.3, noise=False),
    HMC(step_size=0.2, leapfrogs=3),
]


Run = Callable[[], tuple[Tensor, ...]]


def rerun(run: Run) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
    """In place of a CUDA graph: the results keep their memory, and a replay writes there again."""
    outputs = run()

    def replay() -> None:
        for place, value in zip(outputs, run(), strict=True):
            place.copy_(value)

    return replay, outputs


class Recorder:
    """Makes graphs in the way of a GPU, whose replays call nobody's Python, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, function: Function, inputs: tuple[Tensor, ...]) -> Function:
        self.made += 1
        calls = recorded(function, [each.clone() for each in inputs])
        return Held(calls, tuple(each.clone() for each in inputs), rerun)


def descriptor() -> LinearDescriptor:
    return LinearDescriptor(double(4), 0.5)


class Settings:
    """A class that only holds numbers."""

    tilt = 0.0


OFFSET = [0.0]


class Varied(LinearDescriptor):
    """An energy that reads numbers everywhere."""

    slope = 1.0

    def __init__(self) -> None:
        super().__init__(double(4), 0.5)
        self.numbers = {"scale": [1.0]}
        self.shift = torch.zeros(4, dtype=torch.float64)
        self.register_buffer("mask", torch.ones(4, dtype=torch.float64))
        self.inner = nn.Softplus()

    def forward(self, x: Tensor) -> Tensor:
        scale = self.numbers["scale"][0] * self.slope + Settings.tilt + OFFSET[0] + getattr(math, "tilt", 0.0)
        return super().forward(scale * x * self.mask + self.shift) + self.inner(x).sum(1)
