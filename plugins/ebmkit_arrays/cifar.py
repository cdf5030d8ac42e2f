"""The binary version of CIFAR-10 and CIFAR-100, as its authors publish it."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, final

import numpy as np
from numpy.typing import NDArray

from ebmkit.core import Exists, MinLen
from ebmkit.errors import DataError
from ebmkit_arrays.rows import UNREADABLE, Count, Rows, Taken

if TYPE_CHECKING:
    from ebmkit.testing import SourceClaims

__all__ = ["Cifar"]

_PIXELS = 3 * 32 * 32
_BLOCK = 2**20
_FILES = {
    "train": ("train.bin", *(f"data_batch_{number}.bin" for number in range(1, 6))),
    "test": ("test.bin", "test_batch.bin"),
}
_LABELS = {"train.bin": 2, "test.bin": 2}  # CIFAR-100 gives a coarse and a fine label; CIFAR-10 one


@final
class Cifar(Rows):
    """CIFAR-10 or CIFAR-100 from its binary version, colour images ``(3, 32, 32)`` in [-1, 1].

    Args:
        path: the folder with ``data_batch_1.bin`` or ``train.bin``, or the ``.tar.gz`` that holds it.
        part: ``train`` or ``test``.
        skip: leave out that many images at the beginning.
        limit: take at most that many after those; 0 takes all.

    Raises:
        DataError: no such files, or their sizes are not those of whole images.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1), Exists()],
        part: Literal["train", "test"] = "train",
        skip: Count = 0,
        limit: Count = 0,
    ) -> None:
        try:
            found = dict(_packed(path, part) if Path(path).is_file() else _unpacked(path, part))
        except UNREADABLE as error:
            raise DataError(f"cannot read {path!r}: {error}") from None
        if not found:
            raise DataError(f"{path!r} holds none of {', '.join(_FILES[part])}")
        rows = np.concatenate([_images(name, found[name], path) for name in sorted(found)])
        self._content = hashlib.sha256(rows.tobytes()).hexdigest()
        super().__init__(rows, path=path, taken=Taken("auto", skip, limit))
        self.notes = _missing(found)

    def fingerprint(self) -> str:
        """SHA-256 over the images, packed or not, and which of them are taken."""
        return hashlib.sha256(repr((self._content, self._settings)).encode()).hexdigest()

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check source/cifar`` reads without a path: eight images."""
        from ebmkit.testing import SourceClaims
        from ebmkit_arrays.samples import write_cifar

        return SourceClaims(files=write_cifar)


def _missing(found: Mapping[str, bytes]) -> tuple[str, ...]:
    """What CIFAR-10 would have beside some of its five training files."""
    batches = [name for name in _FILES["train"] if name.startswith("data_batch_")]
    missing = [name for name in batches if name not in found]
    if len(missing) in (0, len(batches)):
        return ()
    return (f"of CIFAR-10's training files there are {len(batches) - len(missing)}: no {', '.join(missing)}",)


def _unpacked(path: str, part: str) -> Iterator[tuple[str, bytes]]:
    for name in _FILES[part]:
        if (file := Path(path) / name).is_file():
            yield name, file.read_bytes()


def _packed(path: str, part: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            name = Path(member.name).name
            if member.isfile() and name in _FILES[part] and (file := archive.extractfile(member)):
                yield name, file.read()
        while archive.fileobj and archive.fileobj.read(_BLOCK):  # the checksum comes after the last file
            pass


def _images(name: str, content: bytes, path: str) -> NDArray[np.uint8]:
    """Each image is its labels, then 1024 bytes of each of red, green and blue, row by row."""
    size = _LABELS.get(name, 1) + _PIXELS
    if not content or len(content) % size:
        raise DataError(
            f"{name} of {path!r} has {len(content)} bytes, not a multiple of {size}: it is damaged"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    return records[:, -_PIXELS:].reshape(-1, 3, 32, 32)
