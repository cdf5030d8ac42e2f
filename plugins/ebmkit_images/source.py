"""From bytes of pixels to examples in [-1, 1]; every source of images is one of these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmkit.core import Source
from ebmkit.errors import DataError
from ebmkit_images.decode import Pixels

__all__ = ["ImageSource", "PixelRange", "PixelStore", "stack"]

PixelRange = Literal["fixed", "image"]


class PixelStore(Protocol):
    """Images by their position, one byte a pixel and channel; a numpy array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, C, H, W)``."""

    def __getitem__(self, index: NDArray[np.int64], /) -> Pixels:
        """The images at these positions, ``(n,) -> (n, C, H, W)``."""


def stack(images: Iterable[Pixels]) -> Pixels:
    """Images of one shape as a store in memory."""
    return np.stack(list(images))


class ImageSource(Source):
    """Images from a store of bytes.

    All of it is numpy, not torch: reading happens in several threads at once, and each of them would
    otherwise start a team of torch's threads of its own.

    Args:
        pixels: the images, in memory or decoded as they are asked for.
        mirror: add every image's mirror image as an example of its own.
        pixel_range: ``fixed`` maps 0..255 to [-1, 1] by x / 127.5 - 1; ``image`` stretches each
            image's own darkest and brightest value to -1 and 1, as the authors' code does.
        squares: how many of each photograph the store holds, one after the other. Examples are the first of
            all photographs, then the second of all: so the first few are of different ones.
    """

    def __init__(
        self, pixels: PixelStore, *, mirror: bool, pixel_range: PixelRange, squares: int = 1
    ) -> None:
        self.pixels = pixels
        self.squares = squares
        self.mirror = mirror
        self.pixel_range = pixel_range
        self.shape = tuple(pixels.shape[1:])
        self.concurrent = not isinstance(pixels, np.ndarray)

    def __len__(self) -> int:
        """How many examples there are, mirror images included."""
        return self.pixels.shape[0] * (1 + self.mirror)

    def __getitem__(self, index: Tensor) -> Tensor:
        """The images at these positions, ``(n,) -> (n, C, H, W)`` float32 in [-1, 1].

        Raises:
            DataError: memory does not suffice for so many, or an image cannot be read.
        """
        turned, position = np.divmod(index.numpy(), self.pixels.shape[0])
        square, photograph = np.divmod(position, self.pixels.shape[0] // self.squares)
        try:
            x = self.pixels[photograph * self.squares + square].astype(np.float32)
        except MemoryError:
            images = f"{len(position)} images of {'x'.join(map(str, self.shape))}"
            raise DataError(f"memory does not suffice for {images} at once") from None
        mirrored = turned > 0
        x[mirrored] = x[mirrored][..., ::-1]
        return torch.from_numpy(_stretch(x) if self.pixel_range == "image" else _scale(x))


def _scale(x: NDArray[np.float32]) -> NDArray[np.float32]:
    x /= 127.5
    x -= 1
    return x


def _stretch(x: NDArray[np.float32]) -> NDArray[np.float32]:
    low = x.min((1, 2, 3), keepdims=True)
    high = x.max((1, 2, 3), keepdims=True)
    x -= low
    x *= 2
    x /= np.maximum(high - low, 1)
    x -= 1
    return x
