r"""Images on coarser and finer grids: $P$ averages squares of pixels, $U$ goes back, and $P U x = x$."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor
from torch.nn import functional

__all__ = ["Enlarge", "enlarge", "shrink"]

Enlarge: TypeAlias = Literal["nearest", "bilinear"]

Size: TypeAlias = tuple[int, int]


def shrink(x: Tensor, size: Size) -> Tensor:
    """P: the mean over the pixels of each cell, ``(B, C, H, W) -> (B, C, *size)``.

    Args:
        x: images whose sides are multiples of those of ``size``; of the same size they are given back.
        size: height and width.
    """
    if tuple(x.shape[-2:]) == size:
        return x
    return functional.avg_pool2d(x, (x.shape[-2] // size[0], x.shape[-1] // size[1]))


def enlarge(x: Tensor, size: Size, how: Enlarge = "nearest") -> Tensor:
    r"""U: the images on a finer grid, ``(B, C, h, w) -> (B, C, *size)``, with $P U x = x$.

    ``nearest``, N, repeats each pixel over its cell. ``bilinear`` interpolates between the centres of the
    cells, B, and moves every cell to the mean that it had: $U x = B x + N (x - P B x)$.

    Args:
        x: images.
        size: multiples of their height and width; of the same size they are given back.
        how: one of the two.
    """
    coarse: Size = (x.shape[-2], x.shape[-1])
    if coarse == size:
        return x
    if how == "nearest":
        return functional.interpolate(x, size, mode="nearest")
    smooth = functional.interpolate(x, size, mode="bilinear", align_corners=False)
    return smooth + functional.interpolate(x - shrink(smooth, coarse), size, mode="nearest")
