"""Latents that every training example keeps from iteration to iteration."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from ebmkit.core import Rng, gather

__all__ = ["ImageLatents"]


@final
class ImageLatents(nn.Module):
    r"""One z for each training example, from N(0, I) at the first iteration and persistent from then on.

    Args:
        examples: N, how many examples the data have.
        latent_shape: L of one z.

    Attributes:
        values: ``(N, *L)``, the same on every process.
        started: whether they have been drawn.

    Source: Han, Lu, Zhu, Wu, 2016, arXiv 1606.08571.
    """

    values: Tensor
    started: Tensor

    def __init__(self, examples: int, latent_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(examples, *latent_shape))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def of(self, positions: Tensor, *, rng: Rng) -> Tensor:
        """Those of the examples at these positions, ``(n,) -> (n, *L)``.

        Args:
            positions: in the data source; of several processes each asks for its own.
            rng: of the iteration; the first one draws all latents from ``rng.fold_in("latents")``.
        """
        if not self.started:
            self.values.copy_(rng.of_chain(0).fold_in("latents").normal(self.values))
            self.started.fill_(True)
        return self.values[positions]

    def keep(self, positions: Tensor, z: Tensor) -> None:
        """Write latents ``(n, *L)`` back; of several processes each gives its own, and all keep all."""
        self.values[gather(positions)] = gather(z)
