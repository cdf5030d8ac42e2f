"""Underdamped Langevin dynamics."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple, final

import attrs
from torch import Tensor

from ebmkit.core import EnergyFn, Ge, Gt, Info, Rng, Sampler, value_and_gradient

__all__ = ["Underdamped", "UnderdampedState"]


class UnderdampedState(NamedTuple):
    """Where the chains are, how fast they move, and the gradient there: one new gradient a step."""

    x: Tensor
    velocity: Tensor
    gradient: Tensor


@final
@attrs.frozen(kw_only=True)
class Underdamped(Sampler):
    r"""Langevin dynamics with inertia, by the BAOAB splitting.

    $$dx = v\,dt, \qquad dv = -\nabla E\,dt - \gamma v\,dt + \sqrt{2 \gamma T}\,dW$$

    One step of size h: half a kick, half a drift, the exact friction and noise of a whole step, half a
    drift, half a kick. Velocities start from N(0, T I) at the beginning of each chain. On a Gaussian
    the positions have exactly the right variance at every stable step, h < 2 s: no bias of the
    step size, where plain Langevin has one.

    Args:
        step_size: h, in the units of x (velocities have none).
        friction: γ, per unit of time; small means long memory.
        temperature: T, scales the noise by √T; 1 samples the energy's own distribution.

    Source: Leimkuhler and Matthews, "Rational construction of stochastic numerical methods for
    molecular sampling", 2013, arXiv 1203.5428.
    """

    step_size: Annotated[float, Gt(0)] = 0.01
    friction: Annotated[float, Gt(0)] = 1.0
    temperature: Annotated[float, Ge(0)] = 1.0

    def init(self, energy: EnergyFn, x: Tensor) -> UnderdampedState:
        """The start of a chain, at rest until its first step draws a velocity."""
        return UnderdampedState(x, x.new_full((), math.nan), value_and_gradient(energy, x).gradient)

    def step(self, energy: EnergyFn, state: UnderdampedState, rng: Rng) -> tuple[UnderdampedState, Info]:
        """One move: ``(B, *S) -> (B, *S)``, one gradient."""
        velocity = state.velocity
        if velocity.ndim == 0:
            velocity = math.sqrt(self.temperature) * rng.fold("velocity").normal(state.x)
        half = self.step_size / 2
        keep = math.exp(-self.friction * self.step_size)
        noise = math.sqrt((1 - keep**2) * self.temperature) * rng.normal(state.x)
        velocity = velocity - half * state.gradient
        x = state.x + half * velocity
        velocity = keep * velocity + noise
        x = x + half * velocity
        gradient = value_and_gradient(energy, x).gradient
        velocity = velocity - half * gradient
        speed = velocity.flatten(1).square().mean(1)
        return UnderdampedState(x, velocity, gradient), {"kinetic_temperature": speed}
