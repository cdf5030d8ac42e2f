"""Batches of any shape ``(B, *S)``, row by row: S is a number, a vector, a sequence, an image or a video."""

from __future__ import annotations

from torch import Tensor

__all__ = ["as_rows", "coordinate_of", "per_row"]

_IMAGES = 4
"""Dimensions of a batch of images, (B, C, H, W)."""


def as_rows(x: Tensor) -> Tensor:
    """Every example as one row of numbers, ``(B, *S) -> (B, d)``; examples of one number, ``(B,)``, a column.

    ``x.flatten(1)`` fails on ``(B,)``, and ``x.sum(-1)`` is a sum over the batch there: sums and norms of
    each example are taken of these rows.

    Examples:
        >>> import torch
        >>> as_rows(torch.zeros(5, 2, 3)).shape, as_rows(torch.zeros(5)).shape
        (torch.Size([5, 6]), torch.Size([5, 1]))
    """
    if x.ndim == 2:  # noqa: PLR2004 - rows already
        return x
    return x.flatten(1) if x.ndim > 1 else x.unsqueeze(1)


def coordinate_of(x: Tensor) -> str:
    """What people call one number of an example: a pixel of images ``(B, C, H, W)``, else a coordinate.

    Examples:
        >>> import torch
        >>> coordinate_of(torch.zeros(5, 3, 8, 8)), coordinate_of(torch.zeros(5, 1, 256))
        ('pixel', 'coordinate')
    """
    return "pixel" if x.ndim == _IMAGES else "coordinate"


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """One number an example, shaped to be multiplied with examples like these: ``(B,) -> (B, 1, …)``.

    Examples:
        >>> import torch
        >>> per_row(torch.tensor([1.0, 2.0]), torch.zeros(2, 3, 4)).shape
        torch.Size([2, 1, 1])
    """
    return values.view(-1, *[1] * (like.ndim - 1))
