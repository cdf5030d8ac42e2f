"""Rows of an array as training examples; every source of this plugin is one of these."""

from __future__ import annotations

import hashlib
import struct
import tarfile
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Annotated, Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmkit.core import Ge, Source
from ebmkit.errors import DataError
from ebmkit_arrays.scaling import Affine, Scale, blocks, fitted

__all__ = ["UNREADABLE", "Count", "Rows", "Taken", "measured", "shaped"]

Count = Annotated[int, Ge(0)]

UNREADABLE = (
    *(OSError, EOFError, ValueError, RuntimeError, struct.error),
    *(zlib.error, zipfile.BadZipFile, tarfile.TarError),  # packed, and damaged
    *(SyntaxError, tokenize.TokenError),  # the header of an array, which NumPy reads as Python
)
"""What readers raise of a file that cannot be read, is damaged, or is of another kind."""


@attrs.frozen
class Taken:
    """Which rows of a file are examples, and in which units.

    Attributes:
        scale: see ``scaling.fitted``; fitted to the whole file, so that rows held out by ``skip`` and
            ``limit`` have the units of those trained on.
        skip: rows left out at the beginning.
        limit: at most that many after those; 0 takes all.
    """

    scale: Scale
    skip: int
    limit: int

    def of(self, rows: NDArray[Any], path: str) -> NDArray[Any]:
        """These rows of a file.

        Raises:
            DataError: none is left.
        """
        taken = rows[self.skip : self.skip + self.limit if self.limit else None]
        if len(taken) == 0:
            raise DataError(f"{path!r} holds {len(rows)} examples; skip = {self.skip} leaves none")
        return taken


class Rows(Source):
    """The rows of an array ``(N, *S)``, each an example.

    Args:
        rows: of the whole file, in memory or mapped from it.
        path: of the file.
        taken: which of them are examples.
        settings: what else decides what an example is, for the fingerprint.

        affine: from these numbers to examples; None fits what ``taken`` says to the rows.

    Raises:
        DataError: no row, or a number that is not finite.
    """

    def __init__(
        self,
        rows: NDArray[Any],
        *,
        path: str,
        taken: Taken,
        settings: tuple[object, ...] = (),
        affine: Affine | None = None,
    ) -> None:
        if len(rows) == 0:
            raise DataError(f"{path!r} holds no example")
        self.path = path
        self.shape = tuple(int(size) for size in rows.shape[1:])
        self._affine = affine or measured(rows, taken.scale, path)
        self._rows = taken.of(rows, path)
        self._settings = (taken, settings)

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self._rows)

    def __getitem__(self, index: Tensor) -> Tensor:
        """The examples at these positions, ``(n,) -> (n, *shape)`` float32."""
        return torch.from_numpy(self._affine(np.asarray(self._rows[index.numpy()])))

    def fingerprint(self) -> str:
        """SHA-256 over the file and what is made of it."""
        digest = hashlib.sha256(repr((self._settings, self.shape)).encode())
        with Path(self.path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def shaped(rows: NDArray[Any], shape: tuple[int, ...], path: str) -> NDArray[Any]:
    """The rows ``(N, *)`` as examples of a shape; as they are where it is empty.

    Raises:
        DataError: the shape has another number of coordinates.
    """
    if not shape:
        return rows
    if int(np.prod(shape)) != int(np.prod(rows.shape[1:])):
        found = "x".join(map(str, rows.shape[1:])) or "one number"
        raise DataError(f"shape = {list(shape)} does not fit: an example of {path!r} is {found}")
    return rows.reshape(len(rows), *shape)


def measured(rows: NDArray[Any], scale: Scale, path: str) -> Affine:
    """The map that a scale means for the rows ``(N, *S)`` of a file.

    Raises:
        DataError: a number is not finite.
    """
    if rows.dtype.kind == "f":
        _refuse_what_is_not_finite(rows, path)
    return fitted(scale, rows)


def _refuse_what_is_not_finite(rows: NDArray[Any], path: str) -> None:
    first = 0
    for block in blocks(rows):
        bad = np.flatnonzero(~np.isfinite(block.reshape(len(block), -1)).all(1))
        if len(bad):
            raise DataError(f"row {first + int(bad[0])} of {path!r}, counted from 0, holds NaN or infinity")
        first += len(block)
