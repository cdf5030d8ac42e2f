"""Pictures of a set of images."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

__all__ = ["are_images", "grid_of", "save_grid"]

_GAP = 2
_IMAGE_DIMENSIONS = 4


def are_images(x: Tensor) -> bool:
    """Whether these examples can be drawn: ``(B, 1 or 3, H, W)``."""
    return x.ndim == _IMAGE_DIMENSIONS and x.shape[1] in (1, 3)


def save_grid(path: Path, images: Tensor, *, limit: int = 64, columns: int | None = None) -> None:
    """Write ``grid_of`` these images as a PNG, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid_of(images, limit=limit, columns=columns).save(path)


def grid_of(images: Tensor, *, limit: int = 64, columns: int | None = None) -> Image.Image:
    """The first ``limit`` images as one picture, row by row, with narrow gaps.

    Args:
        images: ``(B, C, H, W)`` in [-1, 1], grey or RGB; values outside are clipped.
        limit: at most that many images.
        columns: images in a row; by default a nearly square grid.
    """
    pixels = images[:limit].detach().float().cpu().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    count, channels, height, width = pixels.shape
    columns = columns or _columns(count)
    rows = math.ceil(count / columns)
    shape = (channels, rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP)
    canvas = torch.full(shape, 255, dtype=torch.uint8)
    for position, tile in enumerate(pixels):
        top, left = position // columns * (height + _GAP), position % columns * (width + _GAP)
        canvas[:, top : top + height, left : left + width] = tile
    return Image.fromarray(canvas.permute(1, 2, 0).squeeze(-1).numpy())


def _columns(count: int) -> int:
    """As in a square grid, or a few more (less than twice) where that fills the last row.

    Examples:
        >>> [_columns(count) for count in (1, 9, 32, 60, 13)]
        [1, 3, 8, 10, 4]
    """
    square = math.ceil(math.sqrt(count))
    return next((columns for columns in range(square, 2 * square) if count % columns == 0), square)
