"""Small changes of images that leave them as likely as they were."""

from __future__ import annotations

from typing import final

import attrs
import torch
from torch import Tensor

from ebmkit.core import Rng, per_row

__all__ = ["Augmentation"]

_IMAGE = 3
"""Dimensions of an image, (C, H, W)."""


@final
@attrs.frozen
class Augmentation:
    """Mirror, shift and brighten each image of a batch by itself, ``(B, C, H, W) -> (B, C, H, W)``.

    Args:
        shape: of one example.
        mirror: turn left and right with probability 1/2.
        shift: move by up to so many pixels up or down, and left or right, every number of them equally
            likely; what comes in at an edge repeats the edge.
        brightness: add one number to all of the image, uniform between minus this and this, in the units
            of x.

    Raises:
        ValueError: images are to be mirrored or shifted, and the examples are none.
    """

    shape: tuple[int, ...]
    mirror: bool = False
    shift: int = 0
    brightness: float = 0.0

    def __attrs_post_init__(self) -> None:
        """Refuse what is no image."""
        if (self.mirror or self.shift) and len(self.shape) != _IMAGE:
            raise ValueError(
                f"mirror and shift need images (C, H, W), and examples have the shape {tuple(self.shape)}"
            )

    def __call__(self, x: Tensor, *, rng: Rng) -> Tensor:
        """Row i is changed by the numbers of row i of ``rng``; x itself is left alone."""
        if self.mirror:
            turned = rng.fold_in("mirror").uniform(x.new_empty(len(x), dtype=torch.float64)) < 1 / 2
            x = torch.where(per_row(turned, x), x.flip(-1), x)
        if self.shift:
            x = _shifted(x, self.shift, rng.fold_in("shift"))
        if self.brightness:
            amount = rng.fold_in("brightness").uniform(x.new_empty(len(x))) * 2 - 1
            x = x + self.brightness * per_row(amount, x)
        return x


def _shifted(x: Tensor, most: int, rng: Rng) -> Tensor:
    """Each image moved by whole pixels, from -``most`` to ``most`` in both directions."""
    # In float64 the numbers stay below 1 to the last bit.
    luck = rng.uniform(x.new_empty(len(x), 2, dtype=torch.float64))
    moves = (luck * (2 * most + 1)).long() - most
    height, width = x.shape[-2:]
    rows = (torch.arange(height, device=x.device) + moves[:, :1]).clamp(0, height - 1)
    columns = (torch.arange(width, device=x.device) + moves[:, 1:]).clamp(0, width - 1)
    image = torch.arange(len(x), device=x.device)[:, None, None]
    return x.movedim(1, -1)[image, rows[:, :, None], columns[:, None, :]].movedim(-1, 1).contiguous()
