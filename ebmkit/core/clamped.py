"""Conditional sampling: the observed pixels held, the hidden ones free."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ebmkit.core.autograd import Gradient, ValueAndGradient
from ebmkit.core.energy import Energy, EnergyFn
from ebmkit.core.gradient import prepare

__all__ = ["Clamped"]


@final
class Clamped(Energy):
    r"""The energy of hidden pixels given the observed ones.

    $$E(y \mid x_{observed}) = E(m \odot x + (1 - m) \odot y)$$

    Any sampler moves y under it; ``complete(y)`` puts the observed pixels back, every bit of
    them. Whatever the mask, the conditionals are those of one joint density.

    Args:
        energy: of whole examples.
        observed: x, ``(B, *S)``.
        mask: m, 1 on observed pixels and 0 on hidden ones, broadcastable to ``(B, *S)``.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408 (the descriptor as an associative memory);
    Hopfield, 1982.
    """

    def __init__(self, energy: EnergyFn, observed: Tensor, mask: Tensor) -> None:
        super().__init__()
        self.energy = energy
        self.observed = observed.detach()
        self.known = mask > 0

    def forward(self, y: Tensor) -> Tensor:
        """E(y | observed) in nats up to a constant, ``(B, *S) -> (B,)``; no gradient on observed pixels."""
        return self.energy(self.complete(y))

    def complete(self, y: Tensor) -> Tensor:
        """The observed pixels as they are, the others from y, ``(B, *S) -> (B, *S)``."""
        return torch.where(self.known, self.observed, y)

    def prepare(self, x: Tensor) -> Gradient:
        """The gradient of the energy of whole examples, zero on observed pixels."""
        whole = prepare(self.energy, x)

        def clamped(y: Tensor) -> ValueAndGradient:
            value, gradient = whole.value_and_gradient(self.complete(y))
            return ValueAndGradient(value, gradient.masked_fill(self.known, 0.0))

        return clamped
