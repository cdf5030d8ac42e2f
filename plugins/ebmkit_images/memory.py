"""A source whose images are small enough to stay in memory as bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ebmkit.data import Source
from ebmkit_images.decode import Pixels

__all__ = ["ImageSource", "PixelRange"]

PixelRange = Literal["fixed", "image"]


class ImageSource(Source):
    """Decoded images, one byte a pixel and channel; every kind of source is one of these.

    Args:
        images: ``(C, H, W)`` uint8 each, all of one shape.
        mirror: add every image's mirror image as an example of its own.
        pixel_range: ``fixed`` maps 0..255 to [-1, 1] by x / 127.5 - 1; ``image`` stretches each
            image's own darkest and brightest value to -1 and 1, as the authors' code does.
    """

    def __init__(self, images: Iterable[Pixels], *, mirror: bool, pixel_range: PixelRange) -> None:
        pixels = torch.from_numpy(np.stack(list(images)))
        self.pixels = torch.cat([pixels, pixels.flip(-1)]) if mirror else pixels
        self.pixel_range = pixel_range
        self.shape = tuple(self.pixels.shape[1:])

    def __len__(self) -> int:
        """How many examples there are, mirror images included."""
        return len(self.pixels)

    def __getitem__(self, index: Tensor) -> Tensor:
        """The images at these positions, ``(n,) -> (n, C, H, W)`` float32 in [-1, 1]."""
        x = self.pixels[index].float()
        if self.pixel_range == "fixed":
            return x.div_(127.5).sub_(1)
        low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
        return (x - low).mul_(2).div_((high - low).clamp_min_(1)).sub_(1)
