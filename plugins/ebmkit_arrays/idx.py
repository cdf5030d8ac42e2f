"""IDX files, the format in which MNIST and its relatives are published."""

from __future__ import annotations

import gzip
import math
import struct
from typing import TYPE_CHECKING, Annotated, Any, final

import numpy as np
from numpy.typing import NDArray

from ebmkit.core import Exists, MinLen
from ebmkit.errors import DataError
from ebmkit_arrays.rows import UNREADABLE, Count, Rows, Taken
from ebmkit_arrays.scaling import Scale

if TYPE_CHECKING:
    from ebmkit.testing import SourceClaims

__all__ = ["Idx"]

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"


@final
class Idx(Rows):
    """The images of an IDX file such as MNIST's ``train-images-idx3-ubyte``, as ``(1, H, W)`` in [-1, 1].

    Files packed with gzip are read as they are. An array of more or fewer than three axes keeps its shape.

    Args:
        path: the file, packed or not.
        pad: background pixels added at each edge: 2 makes 32x32 of MNIST's 28x28.
        scale: ``auto`` takes bytes for images, 0..255 for [-1, 1]; ``none``; ``standard``, mean 0 and
            standard deviation 1 for each coordinate; ``range``, from -1 to 1 for each coordinate.
        skip: leave out that many examples at the beginning.
        limit: take at most that many after those; 0 takes all.

    Raises:
        DataError: no such file, or not an IDX file; cut short, or with no example; padded, and no images.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1), Exists()],
        pad: Count = 0,
        scale: Scale = "auto",
        skip: Count = 0,
        limit: Count = 0,
    ) -> None:
        rows = _array(_bytes(path), path)
        if rows.ndim == 3:  # noqa: PLR2004 - images of one channel
            rows = rows[:, None]
        if pad and rows.ndim < 4:  # noqa: PLR2004
            raise DataError(f"pad = {pad} adds edges to images; {path!r} holds {rows.shape}")
        if pad:
            rows = np.pad(rows, [(0, 0)] * (rows.ndim - 2) + [(pad, pad)] * 2)
        super().__init__(rows, path=path, taken=Taken(scale, skip, limit), settings=(pad,))

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check source/idx`` reads without a path: eight small images."""
        from ebmkit.testing import SourceClaims
        from ebmkit_arrays.samples import write_idx

        return SourceClaims(files=write_idx)


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a path as the user wrote it
            content = file.read()
        return gzip.decompress(content) if content.startswith(_GZIP) else content
    except UNREADABLE as error:
        raise DataError(f"cannot read {path!r}: {error}") from None


def _array(content: bytes, path: str) -> NDArray[Any]:
    r"""The array of an IDX file: two bytes 0, the type, the number of axes, their sizes, the numbers."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or content[3] == 0:  # noqa: PLR2004
        raise DataError(f"{path!r} is not an IDX file")
    axes, dtype = content[3], np.dtype(_TYPES[content[2]])
    begin = 4 + 4 * axes
    if len(content) < begin:
        raise DataError(f"{path!r} is cut short: its sizes are missing")
    shape = struct.unpack(f">{axes}I", content[4:begin])
    wanted = begin + dtype.itemsize * math.prod(shape)
    if len(content) != wanted:
        raise DataError(f"{path!r} has {len(content)} bytes unpacked, where its header says {wanted}")
    array = np.frombuffer(content, dtype, offset=begin).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)
