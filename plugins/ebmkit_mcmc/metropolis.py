"""What Metropolis-adjusted samplers share: positions with their energy and gradient, accepting, choosing."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Rng, value_and_gradient

__all__ = ["Evaluated", "accept", "choose", "evaluate", "inner", "rows"]

T = TypeVar("T", bound=tuple[Any, ...])


class Evaluated(NamedTuple):
    """Positions ``(B, *S)`` with the energy ``(B,)`` and the gradient ``(B, *S)`` there."""

    x: Tensor
    energy: Tensor
    gradient: Tensor


def evaluate(energy: EnergyFn, x: Tensor) -> Evaluated:
    """Positions with their energy and gradient: one evaluation."""
    return Evaluated(x, *value_and_gradient(energy, x))


def rows(per_row: Tensor, like: Tensor) -> Tensor:
    """One number a row, shaped to be multiplied with ``like``: ``(B,) -> (B, 1, …)``."""
    return per_row.view(-1, *[1] * (like.ndim - 1))


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each row in float64, ``(B, *S), (B, *S) -> (B,)``: its terms may cancel."""
    return (a.double() * b.double()).flatten(1).sum(1)


def accept(log_ratio: Tensor, rng: Rng) -> Tensor:
    """True with probability min(1, exp(log_ratio)), ``(B,)``; a NaN compares false and is refused."""
    return rng.uniform(log_ratio).log() < log_ratio


def choose(accepted: Tensor, new: T, old: T) -> T:
    """Row by row, the new state where it was accepted and the old one elsewhere."""
    pairs = zip(new, old, strict=True)
    return type(old)(*(torch.where(rows(accepted, each), each, other) for each, other in pairs))
