"""How deep the pixels of a picture are: every mode of Pillow to 8 bits, or refused by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ebmkit.errors import DataError

__all__ = ["UnknownRangeError", "eight_bits"]

_EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV")
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_STATED = ("PNG", "PPM")  # where integers of 32 bits hold what the file says are 16

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _SIGNED = 0, 2


class UnknownRangeError(DataError):
    """Neither the file nor its format says which values are black and white."""


def eight_bits(image: Image.Image, *, stretch: bool = False) -> Image.Image:
    """The picture with 8 bits a channel, 0 black and 255 white.

    | pixels | black | white |
    |---|---|---|
    | 1 to 8 bits a channel: grey, palette, RGB, CMYK, YCbCr | 0 | all bits set |
    | 16 bits per channel in colour (Pillow keeps the upper 8) | 0 | 65535 |
    | 16 bits, grey | 0 | 65535; of a TIFF with 12 bits 4095 |
    | floats | 0 | 1 |
    | integers that are signed, or have 32 bits | not known: refused | |

    Values between are rounded to the nearest. A TIFF may say that white is 0, which turns it around.

    Args:
        image: loaded.
        stretch: of what is deeper than 8 bits, take the picture's own darkest and brightest value as black
            and white instead.

    Raises:
        UnknownRangeError: the values are not from 0 to the stated white, or it is not known.
        ValueError: a colour space or values that mean no colour: LAB, NaN.
    """
    if image.mode in _EIGHT_BITS and _tag(image, _SAMPLE_FORMAT) != _SIGNED:
        return image
    if image.mode == "La":
        return image.convert("LA")
    if image.mode in _EIGHT_BITS or image.mode not in (*_SIXTEEN_BITS, "I", "F"):
        signed = " of signed numbers" if image.mode in _EIGHT_BITS else ""
        raise ValueError(
            f"its pixels have the mode {image.mode}{signed}, not grey, RGB or CMYK: save it as RGB"
        )
    # Integers of 32 bits need the longer mantissa.
    values: NDArray[np.floating] = np.asarray(image).astype(np.float64 if image.mode == "I" else np.float32)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(high - low):
        raise ValueError("some of its pixels are not finite numbers")
    black, white = (low, high) if stretch else (0.0, _white(image, low, high))
    return Image.fromarray(_scaled(values, black, white, turned=_tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO))


def _scaled(values: NDArray[np.floating], black: float, white: float, *, turned: bool) -> NDArray[np.uint8]:
    """Black to 0, white to 255; of a picture of one value, which is both, to 0."""
    values -= black
    values *= 255 / ((white - black) or 1)
    np.rint(values, out=values)
    levels = values.astype(np.uint8)
    return 255 - levels if turned else levels


def _white(image: Image.Image, low: float, high: float) -> float:
    """The value that is white by what the file says.

    Raises:
        UnknownRangeError: the file does not say it, or its pixels say something else.
    """
    if image.mode == "F":
        if low < 0 or high > 1:
            raise UnknownRangeError(f"holds floats from {low:g} to {high:g}, and not from 0 to 1: {_SAVE}")
        return 1.0
    bits = int(_tag(image, _BITS_PER_SAMPLE) or 16)
    if image.mode == "I" and image.format not in _STATED:
        kind = "signed integers" if _tag(image, _SAMPLE_FORMAT) == _SIGNED else "integers"
        raise UnknownRangeError(
            f"holds {kind} of {bits} bits, from {low:g} to {high:g}, and does not say which is white: {_SAVE}"
        )
    if 0 < high < 256 and bits == 16:  # noqa: PLR2004 - 8 bits saved as 16
        raise UnknownRangeError(f"has 16 bits per pixel and no value above {high:g}, almost black: {_SAVE}")
    return 2.0**bits - 1


_SAVE = "save it with 8 bits, or with 16 in its full range"


def _tag(image: Image.Image, number: int) -> int | None:
    """The first value of a tag of a TIFF; None where there is none, and of other formats."""
    value: int | tuple[int, ...] | None = getattr(image, "tag_v2", {}).get(number)
    return next(iter(value), None) if isinstance(value, tuple) else value
