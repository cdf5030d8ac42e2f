"""Which pixels are observed: masks that are 1 where they are and 0 where they are hidden."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core.rng import Rng

__all__ = ["speckle_masks", "square_masks"]


def square_masks(count: int, shape: tuple[int, ...], *, size: int, rng: Rng) -> Tensor:
    """One hidden square at a random place of each image, ``(count, 1, H, W)`` float32 of 0 and 1.

    Args:
        count: how many masks.
        shape: (C, H, W) of an image.
        size: side of the square in pixels, 1 to the smaller side of the image.
        rng: where the squares are.

    Raises:
        ValueError: the examples are no images, or the square does not fit.
    """
    if len(shape) != 3:  # noqa: PLR2004
        raise ValueError(f"a hidden square needs images (C, H, W), and examples have the shape {shape}")
    height, width = shape[1:]
    if not 1 <= size <= min(height, width):
        raise ValueError(f"a hidden square of {size} pixels does not fit into {height}x{width}")
    room = torch.tensor([height - size + 1, width - size + 1])
    # In float32 a number may round to 1.
    corner = (rng.uniform(torch.empty(count, 2)) * room).long().minimum(room - 1)
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = (rows >= corner[:, :1]) & (rows < corner[:, :1] + size)
    in_columns = (columns >= corner[:, 1:]) & (columns < corner[:, 1:] + size)
    return (~(in_rows[:, None, :, None] & in_columns[:, None, None, :])).float()


def speckle_masks(count: int, shape: tuple[int, ...], *, hidden: float, rng: Rng) -> Tensor:
    """Every place hidden by itself with probability ``hidden``, float32 of 0 and 1.

    A place is a pixel of an image, in all its channels: ``(count, 1, H, W)``. Of sequences ``(C, L)`` and
    videos ``(C, T, H, W)`` it is ``(count, 1, L)`` and ``(count, 1, T, H, W)``; of vectors and numbers, which
    have no channels, ``(count, L)`` and ``(count,)``.
    """
    places = (1, *shape[1:]) if len(shape) > 1 else shape
    return (rng.uniform(torch.empty(count, *places)) >= hidden).float()
