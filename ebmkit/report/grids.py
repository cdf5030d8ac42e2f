"""Pictures of a set of examples: images as they are, sequences as plots."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ebmkit.report.traces import are_sequences, traces_of

__all__ = ["are_images", "can_be_drawn", "grid_of", "save_grid", "tiles_of"]

_GAP = 2
_IMAGE_DIMENSIONS = 4


def are_images(x: Tensor) -> bool:
    """Whether these examples are images that can be drawn: ``(B, 1 or 3, H, W)``."""
    return x.ndim == _IMAGE_DIMENSIONS and x.shape[1] in (1, 3)


def can_be_drawn(x: Tensor) -> bool:
    """Whether there is a picture of these examples: they are images or sequences."""
    return are_images(x) or are_sequences(x)


def save_grid(path: Path, examples: Tensor, *, limit: int = 64, columns: int | None = None) -> None:
    """Write ``grid_of`` these examples as a PNG, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid_of(examples, limit=limit, columns=columns).save(path)


def tiles_of(examples: Tensor) -> Tensor:
    """A picture of each example, ``(B, 1 or 3, h, w)`` uint8.

    Args:
        examples: images ``(B, C, H, W)`` in [-1, 1], grey or RGB, of which values outside are clipped; or
            sequences ``(B, C, L)``, which are plotted.
    """
    if are_sequences(examples):
        return traces_of(examples)
    return examples.detach().float().cpu().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


def grid_of(examples: Tensor, *, limit: int = 64, columns: int | None = None) -> Image.Image:
    """The first ``limit`` examples as one picture, row by row, with narrow gaps.

    Args:
        examples: images or sequences, as for ``tiles_of``.
        limit: at most that many.
        columns: examples in a row; by default a nearly square grid.
    """
    pixels = tiles_of(examples[:limit])
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
