"""From an image file to a square of pixels."""

from __future__ import annotations

import warnings
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ebmkit.errors import DataError

__all__ = ["MOST_PIXELS", "Pixels", "decode", "is_image_name", "printable"]

Pixels = NDArray[np.uint8]

MOST_PIXELS = 89_478_485
"""Pillow's own limit for one image: a quarter of a gigabyte in RGB."""

_LEVELS_16_BIT = 257  # 65535 / 255

# A file that claims more pixels than Pillow thinks sane is refused, not warned about. Once for all
# threads: a filter for the time of one image would be taken back by another thread's.
warnings.simplefilter("error", Image.DecompressionBombWarning)


def is_image_name(name: str) -> bool:
    """Whether Pillow knows the suffix of this file name; other files are no part of the data."""
    suffix = "." + name.rpartition(".")[2].lower()
    return suffix in Image.registered_extensions()


def printable(name: str) -> str:
    r"""A file name on one line, whatever bytes it has.

    Examples:
        >>> printable("a\nb.png"), printable("ä.png")
        ('a\\nb.png', 'ä.png')
    """
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def decode(
    stream: IO[bytes], name: str, *, size: int, color: bool, crop: int = 0, max_pixels: int = MOST_PIXELS
) -> Pixels:
    """Read one image: turned upright as EXIF says, cropped to its centre, resized by LANCZOS.

    Palettes and CMYK become RGB, alpha is left out, 16 bits become 8 by division by 257, of an animation
    the first picture counts.

    Args:
        stream: the file.
        name: how to call it in a message.
        size: side of the result in pixels.
        color: RGB, or grey.
        crop: side of the centre square that is kept; 0 keeps the largest.
        max_pixels: an image that claims more is refused before it is decoded.

    Returns:
        ``(3 or 1, size, size)`` uint8.

    Raises:
        DataError: not an image, damaged, too large, or smaller than ``crop``.
    """
    try:
        with Image.open(stream) as opened:
            if opened.width * opened.height <= max_pixels:
                image = _eight_bits(ImageOps.exif_transpose(opened)).convert("RGB" if color else "L")
            else:
                image = None
    except Exception as error:  # noqa: BLE001 - decoders on hostile bytes raise whatever they like
        raise DataError(f"cannot read the image {name}: {error or type(error).__name__}") from None
    if image is None:
        pixels = f"{opened.width}x{opened.height}"
        raise DataError(f"{name} has {pixels} pixels, more than max_pixels = {max_pixels}")
    side = crop or min(image.size)
    if side > min(image.size):
        raise DataError(f"{name} is {image.width}x{image.height} pixels, smaller than crop = {crop}")
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    return np.ascontiguousarray(np.asarray(square).reshape(size, size, -1).transpose(2, 0, 1))


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8, where ``convert`` would turn everything above 255 white."""
    if not image.mode.startswith("I;16"):
        return image
    return Image.fromarray((np.asarray(image) // _LEVELS_16_BIT).astype(np.uint8))
