r"""What an image is before anything is measured: the fixed definition behind every figure."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ebmkit.errors import DataError

__all__ = ["eight_bits", "in_colour", "resized"]

_IMAGES = 4
_GREY, _COLOUR = 1, 3
_STEPS = 127.5  # half of 255: from [-1, 1] to the levels 0 … 255


def eight_bits(x: Tensor) -> Tensor:
    """Images as a file would hold them: clamped to [-1, 1], rounded to 256 levels, in [-1, 1] again.

    Examples:
        >>> import torch
        >>> eight_bits(torch.tensor([[[[-2.0, 1.5, 0.001]]]]))
        tensor([[[[-1.0000,  1.0000,  0.0039]]]])

    Raises:
        DataError: they are no images ``(B, C, H, W)``.
    """
    if x.ndim != _IMAGES:
        raise DataError(f"images are (B, C, H, W), and these have the shape {tuple(x.shape)}")
    return x.float().clamp(-1, 1).add(1).mul_(_STEPS).round_().div_(_STEPS).sub_(1)


def resized(x: Tensor, side: int) -> Tensor:
    """Squares of this many pixels a side, bicubic with antialiasing, overshoot clamped: as Pillow does it.

    Source: Parmar, Zhang, Zhu, "On aliased resizing and surprising subtleties in GAN evaluation", 2022,
    arXiv 2104.11222.
    """
    if x.shape[-2:] == (side, side):
        return x
    return functional.interpolate(x, (side, side), mode="bicubic", antialias=True).clamp_(-1, 1)


def in_colour(x: Tensor) -> Tensor:
    """Three channels: grey is replicated.

    Raises:
        DataError: images of two channels, or more than three.
    """
    if x.shape[1] not in (_GREY, _COLOUR):
        raise DataError(f"this looks at images of 1 or 3 channels, and these have {x.shape[1]}")
    return x.expand(-1, _COLOUR, -1, -1)
