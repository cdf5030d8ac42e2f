r"""The mean colours of images, as a normal law that is fitted while batches go by."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from ebmkit.core import Rng, gather

__all__ = ["MeanColours"]


@final
class MeanColours(nn.Module):
    r"""The normal law of an image's mean in each channel, $N(\mu, \Sigma)$, by its first two moments.

    Colours that are drawn from it are those of no image in particular: nothing is copied.

    Args:
        channels: C.

    Attributes:
        count: how many images were seen; one that comes again counts again.
        total: the sum of their mean colours, ``(C,)`` float64.
        products: the sum of the colours' outer products, ``(C, C)`` float64.
    """

    count: Tensor
    total: Tensor
    products: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("total", torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("products", torch.zeros(channels, channels, dtype=torch.float64))

    def see(self, x: Tensor) -> None:
        """Count images ``(n, C, H, W)`` in; of several processes each gives its own, and all count all."""
        colours = gather(x.mean((-2, -1))).to(self.total)
        self.count += len(colours)
        self.total += colours.sum(0)
        self.products += colours.T @ colours

    def law(self) -> tuple[Tensor, Tensor]:
        """μ ``(C,)`` and Σ ``(C, C)`` in float64; 0 and the identity before any image was seen."""
        if not self.count:
            return self.total, torch.eye(len(self.total)).to(self.products)
        mean = self.total / self.count
        return mean, self.products / self.count - torch.outer(mean, mean)

    def draw(self, like: Tensor, *, rng: Rng) -> Tensor:
        """Independent colours of the shape and dtype of ``like``, ``(B, C, 1, 1)``."""
        mean, covariance = self.law()
        values, vectors = torch.linalg.eigh(covariance)
        root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T  # symmetric: no sign is left to choose
        noise = rng.normal(like).flatten(1).double()
        drawn: Tensor = mean + noise @ root
        return drawn.to(like.dtype).view_as(like)
