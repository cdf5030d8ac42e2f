"""Underdamped Langevin dynamics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import (
    EnergyFn,
    Ge,
    Gt,
    Info,
    Rng,
    Sampler,
    as_rows,
    brief,
    unstable_step,
    value_and_gradient,
)

if TYPE_CHECKING:
    from ebmkit.testing import LinearLaw, SamplerClaims

__all__ = ["Underdamped", "UnderdampedState"]


class UnderdampedState(NamedTuple):
    """Where the chains are, how fast they move, and the gradient there: one new gradient a step."""

    x: Tensor
    velocity: Tensor
    gradient: Tensor

    def __repr__(self) -> str:
        return brief(self)


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

    def caution(self, energy: EnergyFn) -> str | None:
        """A step h ≥ 2s on the energy's Gaussian reference."""
        return unstable_step(self.step_size, energy)

    def init(self, energy: EnergyFn, x: Tensor) -> UnderdampedState:
        """The start of a chain, at rest until its first step draws a velocity."""
        return UnderdampedState(x, x.new_full((), math.nan), value_and_gradient(energy, x).gradient)

    def step(self, energy: EnergyFn, state: UnderdampedState, rng: Rng) -> tuple[UnderdampedState, Info]:
        """One move: ``(B, *S) -> (B, *S)``, one gradient."""
        velocity = state.velocity
        if velocity.ndim == 0:
            velocity = math.sqrt(self.temperature) * rng.fold_in("velocity").normal(state.x)
        half = self.step_size / 2
        keep = math.exp(-self.friction * self.step_size)
        noise = math.sqrt((1 - keep**2) * self.temperature) * rng.normal(state.x)
        velocity = velocity - half * state.gradient
        x = state.x + half * velocity
        velocity = keep * velocity + noise
        x = x + half * velocity
        gradient = value_and_gradient(energy, x).gradient
        velocity = velocity - half * gradient
        speed = as_rows(velocity).square().mean(1)
        return UnderdampedState(x, velocity, gradient), {"kinetic_temperature": speed}

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/underdamped`` holds it to: BAOAB's exact law on Gaussians."""
        from ebmkit.testing import Linear, SamplerClaims

        return SamplerClaims(law=Linear(_one_step), gradients=lambda _: 1)


def _one_step(sampler: Underdamped, precision: Tensor) -> LinearLaw:
    """The exact law of (x, v) on a Gaussian: the five parts of BAOAB, each linear."""
    from ebmkit.testing import LinearLaw

    identity, zero = torch.eye(len(precision), dtype=precision.dtype), torch.zeros_like(precision)
    half = sampler.step_size / 2
    keep = math.exp(-sampler.friction * sampler.step_size)
    kick = _blocks(identity, zero, -half * precision, identity)
    drift = _blocks(identity, half * identity, zero, identity)
    friction = _blocks(identity, zero, zero, keep * identity)
    noise = _blocks(zero, zero, zero, (1 - keep**2) * sampler.temperature * identity)
    after = kick @ drift
    return LinearLaw(
        after @ friction @ drift @ kick, after @ noise @ after.T, hidden=sampler.temperature * identity
    )


def _blocks(xx: Tensor, xv: Tensor, vx: Tensor, vv: Tensor) -> Tensor:
    return torch.cat([torch.cat([xx, xv], 1), torch.cat([vx, vv], 1)])
