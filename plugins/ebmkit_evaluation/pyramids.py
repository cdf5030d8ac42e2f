"""Laplacian pyramids: an image taken apart into details of one scale each."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ebmkit.errors import DataError
from ebmkit_evaluation.definition import eight_bits

__all__ = ["laplacian_pyramid"]

_COARSEST = 16
"""Pixels a side below which no image is halved."""

_LEAST = 7
_WEIGHTS = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
_MARGIN = 2


def _smoothed(x: Tensor) -> Tensor:
    """Each channel convolved with the binomial window of 5x5, mirrored at the margins."""
    window = torch.outer(_WEIGHTS, _WEIGHTS).to(x).expand(x.shape[1], 1, 5, 5)
    return functional.conv2d(functional.pad(x, [_MARGIN] * 4, mode="reflect"), window, groups=x.shape[1])


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Twice the size: zeros between the pixels, then smoothed to the same mean."""
    sparse = torch.zeros_like(like)
    sparse[..., ::2, ::2] = x
    return _smoothed(sparse) * 4


def laplacian_pyramid(x: Tensor) -> list[Tensor]:
    """What each scale adds, the finest first: ``(B, C, H, W)``, ``(B, C, ⌈H/2⌉, ⌈W/2⌉)``, …, and the rest.

    Images are clamped and rounded to 8 bits. They are halved as long as 16 pixels a side remain; enlarging
    the rest and adding the details level by level gives the image.

    Args:
        x: ``(B, C, H, W)`` in [-1, 1], at least 7 pixels a side.

    Raises:
        DataError: they are no images, or smaller.

    Source: Burt, Adelson, "The Laplacian pyramid as a compact image code", 1983.
    """
    rest, levels = eight_bits(x), []
    if min(rest.shape[-2:]) < _LEAST:
        raise DataError(f"pyramids need {_LEAST} pixels a side, not {tuple(rest.shape[-2:])}")
    while min(rest.shape[-2:]) >= 2 * _COARSEST:
        smaller = _smoothed(rest)[..., ::2, ::2]
        levels.append(rest - _enlarged(smaller, rest))
        rest = smaller
    return [*levels, rest]
