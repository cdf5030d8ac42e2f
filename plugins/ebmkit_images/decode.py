"""From an image file to a square of pixels."""

from __future__ import annotations

import warnings
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ebmkit.errors import DataError

__all__ = ["Pixels", "decode", "is_image_name"]

Pixels = NDArray[np.uint8]

# A file that claims more pixels than Pillow thinks sane is refused, not warned about. Once for all
# threads: a filter for the time of one image would be taken back by another thread's.
warnings.simplefilter("error", Image.DecompressionBombWarning)


def is_image_name(name: str) -> bool:
    """Whether Pillow knows the suffix of this file name; other files are no part of the data."""
    suffix = "." + name.rpartition(".")[2].lower()
    return suffix in Image.registered_extensions()


def decode(stream: IO[bytes], name: str, *, size: int, color: bool, crop: int = 0) -> Pixels:
    """Read one image: turned upright as EXIF says, cropped to its centre, resized by LANCZOS.

    Args:
        stream: the file.
        name: how to call it in a message.
        size: side of the result in pixels.
        color: RGB, or grey.
        crop: side of the centre square that is kept; 0 keeps the largest.

    Returns:
        ``(3 or 1, size, size)`` uint8.

    Raises:
        DataError: not an image, damaged, or smaller than ``crop``.
    """
    try:
        with Image.open(stream) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB" if color else "L")
    except (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
    ) as error:
        raise DataError(f"cannot read the image {name}: {error or type(error).__name__}") from None
    side = crop or min(image.size)
    if side > min(image.size):
        raise DataError(f"{name} is {image.width}x{image.height} pixels, smaller than crop = {crop}")
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    return np.ascontiguousarray(np.asarray(square).reshape(size, size, -1).transpose(2, 0, 1))
