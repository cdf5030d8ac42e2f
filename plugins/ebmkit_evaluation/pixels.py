r"""The features ``pixels``: layout and texture of an image, computed without weights."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from ebmkit.core import Features
from ebmkit.errors import DataError
from ebmkit_evaluation.definition import eight_bits

__all__ = ["Pixels"]

_SIDE = 8
"""Of the grid of means, and of the blocks whose frequencies are taken."""

_ROUNDING = 2 / 255 / math.sqrt(12)
"""The standard deviation that rounding to 8 bits gives every coefficient."""


def _cosines(side: int) -> Tensor:
    r"""The orthonormal DCT-II of squares but its constant, ``(side² - 1, 1, side, side)``."""
    place = torch.arange(side, dtype=torch.float64)
    waves = torch.cos(torch.pi / side * (place + 0.5) * place[:, None]) * math.sqrt(2 / side)
    waves[0] /= math.sqrt(2)
    return torch.einsum("ax,by->abxy", waves, waves).reshape(-1, 1, side, side)[1:].float()


@final
class Pixels(Features):
    r"""127 numbers per channel: means over a grid of 8 by 8, and how strong each frequency is.

    The strength of a frequency is $\log(1 + r / q) / 8$, where r is the root mean square of its DCT
    coefficient over all blocks of 8x8 pixels (every fourth row and column) and q what rounding to 8 bits
    adds to it: from 0 to about 1. Blur, noise and checkerboards move the strengths, another layout the
    means; what the image shows is beyond these features. Images have at least 8 pixels a side.
    """

    _waves: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.name = "pixels"
        self.register_buffer("_waves", _cosines(_SIDE))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` in [-1, 1] to ``(B, 127 C)``.

        Raises:
            DataError: an image has fewer than 8 pixels a side.
        """
        x = eight_bits(x)
        if min(x.shape[-2:]) < _SIDE:
            raise DataError(f"the features pixels need {_SIDE} pixels a side, not {tuple(x.shape[-2:])}")
        layout = functional.adaptive_avg_pool2d(x, _SIDE)
        channels = x.flatten(0, 1).unsqueeze(1)
        strengths = functional.conv2d(channels, self._waves, stride=_SIDE // 2).square().mean((2, 3)).sqrt()
        texture = (strengths / _ROUNDING).log1p() / _SIDE
        return torch.cat([layout.flatten(1), texture.view(len(x), -1)], 1)
