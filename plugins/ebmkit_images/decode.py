"""From an image file to a square of pixels."""

from __future__ import annotations

from typing import IO, Annotated

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ebmkit.core import Ge, Le
from ebmkit.errors import DataError
from ebmkit.pictures import MOST_PIXELS, UnknownRangeError, load_picture

__all__ = ["Form", "Pixels", "Side", "decode"]

Pixels = NDArray[np.uint8]

Side = Annotated[int, Ge(1), Le(8192)]
"""Of the squares, in pixels: as many as Pillow would read of one image, rounded down."""


@attrs.frozen
class Form:
    """What is made of each file: a square out of its centre.

    Attributes:
        size: side of the result in pixels.
        color: RGB, or grey.
        crop: side of the centre square that is kept; 0 keeps the largest.
        max_pixels: an image that claims more is refused before it is decoded.
        stretch: an image deeper than 8 bits is taken from its own darkest to its brightest value. No part
            of the identity of the data: ``pixel_range``, which says the same of all images, is.
    """

    size: int
    color: bool
    crop: int = 0
    max_pixels: int = MOST_PIXELS
    stretch: bool = attrs.field(default=False, repr=False)


def decode(stream: IO[bytes], name: str, form: Form) -> Pixels:
    """Read one image, as ``ebmkit.pictures.load_picture`` does, cropped to its centre, resized by LANCZOS.

    Args:
        stream: the file.
        name: how to call it in a message.
        form: what is made of it.

    Returns:
        ``(3 or 1, size, size)`` uint8.

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
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    square = image.resize((form.size, form.size), Image.Resampling.LANCZOS, box=box)
    return np.ascontiguousarray(np.asarray(square).reshape(form.size, form.size, -1).transpose(2, 0, 1))
