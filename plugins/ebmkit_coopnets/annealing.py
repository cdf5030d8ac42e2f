"""Langevin noise that ends after a number of iterations."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from ebmkit.core import Chain

__all__ = ["NoiseUntil"]


@final
class NoiseUntil(nn.Module):
    """Counts iterations and takes the noise out of a chain when there have been enough.

    The count is a buffer, so that it is saved and a resumed run switches at the same iteration.

    Args:
        chain: the revision.
        iterations: with noise; 0 means all.

    Raises:
        ValueError: the noise is to end, and the chain's sampler has none to switch off.
    """

    done: Tensor

    def __init__(self, chain: Chain, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        self.register_buffer("done", torch.zeros((), dtype=torch.int64))
        if iterations:
            chain.without_noise()

    def of(self, chain: Chain) -> Chain:
        """The chain as this iteration runs it."""
        quiet = 0 < self.iterations <= int(self.done)
        self.done += 1
        return chain.without_noise() if quiet else chain
