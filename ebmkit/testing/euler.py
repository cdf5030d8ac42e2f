"""Langevin dynamics in two lines: what steps are timed against, and the chain of the checked schedules."""

from __future__ import annotations

from typing import Any

import attrs
from torch import Tensor

from ebmkit.core import EnergyFn, Position, Rng, Sampler, value_and_gradient

__all__ = ["Euler"]


@attrs.frozen(kw_only=True)
class Euler(Sampler):
    """x - δ²/2 ∇E(x) + δ ε.

    Args:
        step_size: δ.
        noise: whether ε is there.
    """

    step_size: float = 0.8
    noise: bool = True

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Position, dict[str, Tensor]]:
        """One gradient."""
        gradient = value_and_gradient(energy, state.x).gradient
        moved = state.x - self.step_size**2 / 2 * gradient
        return Position(moved + self.step_size * rng.normal(moved) if self.noise else moved), {}
