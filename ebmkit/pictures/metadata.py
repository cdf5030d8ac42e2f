"""What stands beside the pixels in a file: which way is up, and how to do without a damaged rest."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from PIL import ExifTags, Image

__all__ = ["upright", "without_metadata"]

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By what EXIF calls the orientation; 1 is upright."""

_PNG = b"\x89PNG\r\n\x1a\n"
_ANCILLARY = 0x20  # the bit of a chunk's name that makes its first letter small

_JPEG = b"\xff\xd8"
_SCAN, _COMMENT = b"\xda", b"\xfe"
_KEPT = {b"\xe0": (b"JFIF\0", 14), b"\xe1": (b"Exif\0\0", 14), b"\xee": (b"Adobe", 12)}
"""By their markers the applications' segments that matter: how they start, and how long they are at least."""


def upright(image: Image.Image) -> Image.Image:
    """A loaded picture turned as its EXIF data say; as it is where they say nothing that can be read."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - broken EXIF data raise whatever they like, and the pixels are good
        return image
    return image if turn is None else image.transpose(turn)


def without_metadata(content: bytes) -> bytes | None:
    """A PNG or JPEG without what is not needed to draw it upright; None for other formats.

    Pillow gives a picture up for a text longer than it likes, a colour profile or a resolution cut short, or
    a wrong checksum of any of them. In other formats it does not.
    """
    if content.startswith(_PNG):
        return _PNG + b"".join(chunk for chunk in _chunks(content) if _draws_png(chunk))
    if content.startswith(_JPEG):
        return _JPEG + b"".join(segment for segment in _segments(content) if _draws_jpeg(segment))
    return None


def _chunks(content: bytes) -> Iterator[bytes]:
    """The chunks of a PNG: four bytes of length, four of name, the data, four of checksum."""
    at = len(_PNG)
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        yield content[at:end]
        at = end


def _draws_png(chunk: bytes) -> bool:
    name = chunk[4:8]
    if name == b"eXIf":
        return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
    return not (name and name[0] & _ANCILLARY)


def _segments(content: bytes) -> Iterator[bytes]:
    """The segments of a JPEG, each with its marker and length in front, and all from the first scan on."""
    at = len(_JPEG)
    while content[at : at + 1] == b"\xff" and content[at + 1 : at + 2] != _SCAN:
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        yield content[at:end]
        at = end
    yield content[at:]


def _draws_jpeg(segment: bytes) -> bool:
    """Whether it says how colours are stored, or which way is up; comments and most applications do not."""
    marker, body = segment[1:2], segment[4:]
    if marker in _KEPT:
        start, least = _KEPT[marker]
        return body.startswith(start) and len(body) >= least
    return marker != _COMMENT and not b"\xe0" <= marker <= b"\xef"
