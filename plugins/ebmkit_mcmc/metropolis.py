"""What Metropolis-adjusted samplers share: positions with their energy and gradient, and the decision."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Rng, as_rows, brief, per_row, value_and_gradient

__all__ = ["Evaluated", "accept", "adjusted_langevin", "choose", "evaluate", "inner"]

T = TypeVar("T", bound=tuple[Any, ...])


class Evaluated(NamedTuple):
    """Positions ``(B, *S)`` with the energy ``(B,)`` and the gradient ``(B, *S)`` there."""

    x: Tensor
    energy: Tensor
    gradient: Tensor

    def __repr__(self) -> str:
        return brief(self)


def evaluate(energy: EnergyFn, x: Tensor) -> Evaluated:
    """Positions with their energy and gradient: one evaluation."""
    return Evaluated(x, *value_and_gradient(energy, x))


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each row in float64, ``(B, *S), (B, *S) -> (B,)``: its terms may cancel."""
    return as_rows(a.double() * b.double()).sum(1)


def accept(log_ratio: Tensor, rng: Rng) -> Tensor:
    """True with probability min(1, exp(log_ratio)), ``(B,)``; a NaN compares false and is refused."""
    return rng.uniform(log_ratio).log() < log_ratio


def choose(accepted: Tensor, new: T, old: T) -> T:
    """Row by row, the new state where it was accepted and the old one elsewhere."""
    pairs = zip(new, old, strict=True)
    return type(old)(*(torch.where(per_row(accepted, each), each, other) for each, other in pairs))


def adjusted_langevin(
    energy: EnergyFn, here: Evaluated, rng: Rng, *, size: float | Tensor, temperature: float = 1.0
) -> tuple[Evaluated, Tensor, Tensor]:
    r"""One Langevin step under E / T, accepted or refused: one gradient.

    The step on the gradient is δ²/2 and the noise δ √T; δ is a number, one a chain or one a coordinate.
    With $h = \frac{\delta}{2 \sqrt T} (\nabla E(x) + \nabla E(x'))$ the ratio of the proposals is
    $h \cdot (\epsilon - h / 2)$: no difference of large numbers is taken.

    Args:
        energy: E, at T = 1.
        here: where the chains are.
        rng: the noise and the decision.
        size: δ in the units of x, broadcastable to ``(B, *S)``.
        temperature: T.

    Returns:
        where the chains are then; which accepted, ``(B,)`` bool; and the logarithm of the acceptance
        ratio, ``(B,)`` float64.
    """
    root = math.sqrt(temperature)
    noise = rng.normal(here.x)
    there = evaluate(energy, here.x - size**2 / 2 * here.gradient + size * root * noise)
    pull = (size / (2 * root) * (here.gradient + there.gradient)).double()
    log_ratio = (here.energy.double() - there.energy.double()) / temperature
    log_ratio = log_ratio + inner(pull, noise - pull / 2)
    accepted = accept(log_ratio, rng)
    return choose(accepted, there, here), accepted, log_ratio
