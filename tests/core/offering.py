"""Gradient backends of plugins that are made for a test, and what shows that they were asked."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ebmkit.core import Energy, Gradient, GradientBackend, Precision, Sampler, ValueAndGradient
from ebmkit_langevin.langevin import Langevin

Offering = Callable[..., None]


DESCENT: Sampler = Langevin(step_size=2**0.5, noise=False)


DESCENT_BY_HALF: Sampler = Langevin(step_size=1.0, noise=False)


MARK = 1 + 2**-12
"""By which a fast gradient shows in these tests: less than the check takes for rounding, exact in float32."""


class Bowl(Energy):
    """|x|^2 / 2, with a parameter, and a gradient of its own that leaves its mark."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.prepared_at: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x.square().sum(1) / 2

    def prepare(self, x: Tensor) -> Gradient:
        self.prepared_at.append(tuple(x.shape))
        scale = float(self.scale)
        return lambda x: ValueAndGradient(self(x).detach(), scale * x * MARK)


class Plain(nn.Module):
    """A module that knows nothing about itself."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square().sum(1) / 2


class Marking(GradientBackend):
    """Knows plain modules, and leaves its mark."""

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
        if not isinstance(energy, Plain):
            return None
        return lambda x: ValueAndGradient(energy(x), x * MARK)


MARKING = f"{__name__}:Marking"
"""As a plugin names it."""
