"""From a picture file to pixels of 8 bits."""

from __future__ import annotations

import io
from typing import IO

from PIL import Image, ImageFile

from ebmkit.errors import DataError
from ebmkit.pictures.formats import MOST_PIXELS, open_picture
from ebmkit.pictures.levels import eight_bits
from ebmkit.pictures.metadata import upright, without_metadata

__all__ = ["load_picture", "printable"]


def printable(name: str) -> str:
    r"""A file name on one line, whatever bytes it has.

    Examples:
        >>> printable("a\nb.png"), printable("ä.png")
        ('a\\nb.png', 'ä.png')
    """
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def load_picture(
    stream: IO[bytes], name: str, *, color: bool, max_pixels: int = MOST_PIXELS, stretch: bool = False
) -> Image.Image:
    """Read one picture, turned upright as EXIF says, as RGB or grey of 8 bits; see ``eight_bits``.

    Palettes, CMYK and YCbCr become RGB, alpha and colour profiles are left out, of an animation the first
    picture counts. Damaged metadata do not matter: a picture counts as damaged where its pixels are.

    Args:
        stream: the file, which can seek.
        name: how to call it in a message.
        color: RGB, or grey.
        max_pixels: a picture that claims more is refused before it is decoded.
        stretch: take the own darkest and brightest value of what is deeper than 8 bits as black and white.

    Raises:
        DataError: no picture, damaged, or too large.
        UnknownRangeError: one of these, which does not say what is black and white.
        MemoryError: there is too little of it.
    """
    try:
        loaded = eight_bits(upright(_load(stream, max_pixels)), stretch=stretch)
        # Pillow warns that it converts no transparency of a palette; it is not asked to.
        loaded.info.pop("transparency", None)
        return loaded.convert("RGB" if color else "L")
    except DataError as error:
        raise type(error)(f"{name} {error}") from None
    except MemoryError:  # says nothing about the picture
        raise
    except Exception as error:  # noqa: BLE001 - decoders on hostile bytes raise whatever they like
        raise DataError(f"cannot read the image {name}: {error or type(error).__name__}") from None


def _load(stream: IO[bytes], max_pixels: int) -> Image.Image:
    """The picture of a file; where that fails, of what is left without metadata."""
    try:
        return _decoded(stream, max_pixels)
    except DataError:
        raise
    except Exception:
        stream.seek(0)
        bare = without_metadata(stream.read())
        if bare is None:
            raise
        return _decoded(io.BytesIO(bare), max_pixels)


def _decoded(stream: IO[bytes], max_pixels: int) -> ImageFile.ImageFile:
    """The first picture in a file.

    Raises:
        DataError: it claims more than ``max_pixels``.
    """
    opened = open_picture(stream)
    if opened.width * opened.height > max_pixels:
        raise DataError(f"has {opened.width}x{opened.height} pixels, more than max_pixels = {max_pixels}")
    opened.load()
    return opened
