"""Sequences and images: examples that differ in the number of axes behind their channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from torch import nn

__all__ = [
    "AVERAGES",
    "CONVOLUTIONS",
    "TRANSPOSED",
    "Convolution",
    "by_sides",
    "channels_and_sides",
]

Convolution: TypeAlias = nn.Conv1d | nn.Conv2d

CONVOLUTIONS: Mapping[int, type[Convolution]] = {1: nn.Conv1d, 2: nn.Conv2d}
"""By the number of axes: 1 of a sequence, 2 of an image."""

TRANSPOSED: Mapping[int, type[nn.ConvTranspose1d | nn.ConvTranspose2d]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
}
AVERAGES: Mapping[int, type[nn.AvgPool1d | nn.AvgPool2d]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d}


def channels_and_sides(shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """C and the sides of an example: (L,) of a sequence (C, L), (H, W) of an image (C, H, W).

    Raises:
        ValueError: it has another number of axes.

    Examples:
        >>> channels_and_sides((3, 64, 64)), channels_and_sides((2, 256))
        ((3, (64, 64)), (2, (256,)))
    """
    channels, sides = shape[:1], tuple(shape[1:])
    if len(sides) not in CONVOLUTIONS:
        raise ValueError(
            f"it is a network for images (C, H, W) and sequences (C, L), but examples have the shape "
            f"{tuple(shape)}; the energy mlp is for any"
        )
    return channels[0], sides


def by_sides(sides: tuple[int, ...]) -> str:
    """The sides as people write them.

    Examples:
        >>> by_sides((64, 48)), by_sides((256,))
        ('64x48', '256')
    """
    return "x".join(map(str, sides))
