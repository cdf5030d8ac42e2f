"""From an image file to one square of pixels, or to several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Annotated, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ebmkit.core import Ge, Le
from ebmkit.errors import DataError
from ebmkit.pictures import MOST_PIXELS, UnknownRangeError, load_picture

__all__ = ["Crops", "Form", "Pixels", "Side", "decode"]

Pixels = NDArray[np.uint8]

_Box: TypeAlias = tuple[float, float, float, float]

Side = Annotated[int, Ge(1), Le(8192)]
"""Of the squares, in pixels: as many as Pillow would read of one image, rounded down."""


Crops = Annotated[int, Ge(1), Le(9)]
"""Squares of each image along each of its sides."""

_STEP = 1 / 46
"""From one square to the next, as a share of the whole one: 2 pixels of 92, the side of the ORL faces."""


@attrs.frozen
class Form:
    """What is made of each file: a square out of its centre, or several that nearly fill it.

    Attributes:
        size: side of the result in pixels.
        color: RGB, or grey.
        crop: side of the centre square that is kept; 0 keeps the largest.
        max_pixels: an image that claims more is refused before it is decoded.
        crops: n, for n² squares that lie a 46th of its side apart and fill it together; 1 for itself. No part
            of the identity of the data here, so that older ones keep theirs.
        stretch: an image deeper than 8 bits is taken from its own darkest to its brightest value. No part
            of the identity of the data: ``pixel_range``, which says the same of all images, is.
    """

    size: int
    color: bool
    crop: int = 0
    max_pixels: int = MOST_PIXELS
    stretch: bool = attrs.field(default=False, repr=False)
    crops: int = attrs.field(default=1, repr=False)


def decode(stream: IO[bytes], name: str, form: Form) -> Pixels:
    """Read one image, as ``ebmkit.pictures.load_picture`` does, its squares cropped and resized by LANCZOS.

    Args:
        stream: the file.
        name: how to call it in a message.
        form: what is made of it.

    Returns:
        ``(crops², 3 or 1, size, size)`` uint8; squares from left to right, rows of them from top to bottom.

    Raises:
        DataError: not an image, damaged, too large, smaller than ``crop``, or of unknown range.
    """
    try:
        image = load_picture(stream, name, color=form.color, max_pixels=form.max_pixels, stretch=form.stretch)
    except UnknownRangeError as error:
        raise DataError(f'{error}, or say pixel_range = "image"') from None
    side = form.crop or min(image.size)
    if side > min(image.size):
        raise DataError(f"{name} is {image.width}x{image.height} pixels, smaller than crop = {form.crop}")
    return np.stack([_resized(image, box, form.size) for box in _boxes(image, side, form.crops)])


def _boxes(image: Image.Image, side: int, crops: int) -> Iterator[_Box]:
    """The squares inside the one of this side in the centre."""
    left, top = (image.width - side) // 2, (image.height - side) // 2
    step = side * _STEP
    inner = side - (crops - 1) * step
    for row in range(crops):
        for column in range(crops):
            x, y = left + column * step, top + row * step
            yield x, y, x + inner, y + inner


def _resized(image: Image.Image, box: _Box, size: int) -> Pixels:
    square = image.resize((size, size), Image.Resampling.LANCZOS, box=box)
    return np.ascontiguousarray(np.asarray(square).reshape(size, size, -1).transpose(2, 0, 1))
