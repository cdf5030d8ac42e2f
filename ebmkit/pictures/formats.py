"""The one list of picture formats: whose names count as pictures, and what may open them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import IO

from PIL import Image, ImageFile, UnidentifiedImageError

__all__ = ["FORMATS", "MOST_PIXELS", "UnknownFormatError", "is_picture_name", "open_picture"]

FORMATS: Mapping[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "PCX": (".pcx",),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
}
"""Pillow's name of each format, with the suffixes of its files.

They are pictures made of pixels, whose decoders run in this process. Pillow knows others, whose decoders
start a program (PostScript) or read documents, films and tables that merely hold a picture.
TGA stands last: it has no signature, and what is another format shall not be taken for it.
"""

MOST_PIXELS = 89_478_485
"""Pillow's own limit for one picture: a quarter of a gigabyte in RGB."""

_SUFFIXES = tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes)

# Once for all threads: a filter for the time of one picture would be taken back by another thread's.
# A file that claims more pixels than Pillow thinks sane is refused, not warned about; odd metadata,
# which nobody asked for, is nothing to warn of.
warnings.simplefilter("error", Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.\w+ImagePlugin")


class UnknownFormatError(ValueError):
    """The content is of none of the formats, whatever the name says."""


def is_picture_name(name: str) -> bool:
    """Whether a file of this name is one of ``FORMATS``; other files are no part of the data.

    Examples:
        >>> is_picture_name("a.JPG"), is_picture_name("README.txt"), is_picture_name("png")
        (True, False, False)
    """
    return name.lower().endswith(_SUFFIXES)


def open_picture(stream: IO[bytes]) -> ImageFile.ImageFile:
    """Read the header of a picture, whose format its content tells: many a PNG is called ``.jpg``.

    Raises:
        UnknownFormatError: it is none of ``FORMATS``.
        Exception: whatever a decoder raises on a damaged file.
    """
    try:
        return Image.open(stream, formats=_openable())
    except UnidentifiedImageError:
        raise UnknownFormatError("its content is damaged, or of none of the known formats") from None


@functools.cache
def _openable() -> tuple[str, ...]:
    """The formats that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)
