r"""From the numbers of a file to examples: an affine map for each coordinate, $x = (u - a) / b$."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, final

import attrs
import numpy as np
from numpy.typing import NDArray

__all__ = ["Affine", "Scale", "blocks", "fitted"]

Scale = Literal["auto", "none", "standard", "range"]

_BYTES = 2**24
"""Of a file, as float64, that are looked at together: what is fitted needs no more memory than this."""


@final
@attrs.frozen(eq=False)
class Affine:
    """``x = (u - offset) / factor``, broadcast over rows.

    Attributes:
        offset: a, of the shape of an example or ``()``.
        factor: b, of the shape of an example or ``()``; never 0.
    """

    offset: NDArray[np.float64]
    factor: NDArray[np.float64]

    def __call__(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Rows of a file as examples, ``(n, *S) -> (n, *S)`` float32."""
        return ((rows - self.offset) / self.factor).astype(np.float32)

    def of_channels(self) -> Affine:
        """The same map, fitted to the points ``(T, C)`` of a recording, for pieces ``(n, C, length)``."""
        if self.offset.ndim == 0:
            return self
        return Affine(self.offset[:, None], self.factor[:, None])


def fitted(scale: Scale, rows: NDArray[Any]) -> Affine:
    """The map that a scale means for the rows ``(N, *S)`` of a file.

    ``none`` is the identity. ``auto`` maps bytes from 0..255 to [-1, 1] and leaves all other numbers as they
    are. ``standard`` gives each coordinate mean 0 and standard deviation 1 over the file, ``range`` takes
    its smallest and largest value to -1 and 1; a coordinate that never changes becomes 0.
    """
    if scale == "standard":
        mean = sum(block.sum(0) for block in blocks(rows)) / len(rows)
        variance = sum(((block - mean) ** 2).sum(0) for block in blocks(rows)) / len(rows)
        return _nowhere_zero(mean, np.sqrt(variance))
    if scale == "range":
        low = np.min([block.min(0) for block in blocks(rows)], 0)
        high = np.max([block.max(0) for block in blocks(rows)], 0)
        return _nowhere_zero((low + high) / 2, (high - low) / 2)
    bytes_to_unit = scale == "auto" and rows.dtype == np.uint8
    number = 127.5 if bytes_to_unit else 1.0
    return Affine(np.float64(number if bytes_to_unit else 0.0), np.float64(number))  # type: ignore[arg-type]


def blocks(rows: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    """The rows ``(N, *S)`` as float64, some megabytes at a time."""
    size = max(1, _BYTES // max(1, 8 * int(np.prod(rows.shape[1:]))))
    for begin in range(0, len(rows), size):
        yield np.asarray(rows[begin : begin + size], np.float64)


def _nowhere_zero(offset: Any, factor: Any) -> Affine:
    factor = np.asarray(factor)
    return Affine(np.asarray(offset), np.where(factor == 0, 1.0, factor))
