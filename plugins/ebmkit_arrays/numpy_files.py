"""NumPy's files: one array (``npy``), or several by name (``npz``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, final

import numpy as np
from numpy.typing import NDArray

from ebmkit.core import Exists, Ge, MinLen
from ebmkit.errors import DataError
from ebmkit_arrays.rows import UNREADABLE, Count, Rows, Taken, measured, shaped
from ebmkit_arrays.scaling import Scale
from ebmkit_arrays.windows import windows

if TYPE_CHECKING:
    from ebmkit.testing import SourceClaims

__all__ = ["Npy", "Npz"]

Shape = tuple[Annotated[int, Ge(1)], ...]


@final
class Npy(Rows):
    """The rows of an array in a ``.npy`` file: ``(N, *S)`` makes N examples of shape S.

    The file is mapped, not read: it may be larger than the memory. Bytes are taken for images, 0..255 for
    [-1, 1]; other numbers are taken as they are unless ``scale`` says otherwise.

    With ``window`` the array is one long recording ``(T,)`` or ``(T, C)`` instead, and an example is a piece
    of it, ``(C, window)``.

    Args:
        path: the file.
        shape: of an example, where it is another one than the array's: ``[1, 128]`` makes a sequence of
            one channel out of 128 numbers.
        window: points of a piece of a recording; 0 takes rows.
        hop: points between the beginnings of two pieces; 0 takes ``window``, so that none overlap.
        scale: ``auto``; ``none``; ``standard``, mean 0 and standard deviation 1 for each coordinate;
            ``range``, from -1 to 1 for each coordinate. Of a recording, a coordinate is a channel.
        skip: leave out that many examples at the beginning.
        limit: take at most that many after those; 0 takes all.

    Raises:
        DataError: no such file, no numbers in it, no example, or one that is not finite.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1), Exists()],
        shape: Shape = (),
        window: Count = 0,
        hop: Count = 0,
        scale: Scale = "auto",
        skip: Count = 0,
        limit: Count = 0,
    ) -> None:
        if window and shape:
            raise DataError("window = … makes examples (channels, window); leave out shape = …")
        array, taken = _numbers(_load(path), path), Taken(scale, skip, limit)
        rows = shaped(windows(array, window, hop or window, path) if window else array, shape, path)
        # Pieces overlap, and a point's place in its piece means nothing: channels are what is scaled.
        affine = measured(array, scale, path).of_channels() if window else None
        super().__init__(rows, path=path, taken=taken, settings=(window, hop), affine=affine)

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check source/npy`` reads without a path: eight small tables."""
        from ebmkit.testing import SourceClaims
        from ebmkit_arrays.samples import write_npy

        return SourceClaims(files=write_npy, bounded=False)


@final
class Npz(Rows):
    """The rows of one array of a ``.npz`` file: ``(N, *S)`` makes N examples of shape S.

    Args:
        path: the file.
        array: its name in the file; empty where the file holds one alone.
        shape: of an example, where it is another one than the array's.
        scale: ``auto`` takes bytes for images, 0..255 for [-1, 1]; ``none``; ``standard``, mean 0 and
            standard deviation 1 for each coordinate; ``range``, from -1 to 1 for each coordinate.
        skip: leave out that many examples at the beginning.
        limit: take at most that many after those; 0 takes all.

    Raises:
        DataError: no such file or array, no example, or one that is not finite.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1), Exists()],
        array: str = "",
        shape: Shape = (),
        scale: Scale = "auto",
        skip: Count = 0,
        limit: Count = 0,
    ) -> None:
        archive = _load(path)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f'{path!r} holds one array without a name, which use = "npy" reads')
        with archive:
            rows = _numbers(_of_archive(archive, array, path), path)
        super().__init__(
            shaped(rows, shape, path), path=path, taken=Taken(scale, skip, limit), settings=(array,)
        )

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check source/npz`` reads without a path: eight small images."""
        from ebmkit.testing import SourceClaims
        from ebmkit_arrays.samples import write_npz

        return SourceClaims(files=write_npz)


def _load(path: str) -> Any:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except UNREADABLE as error:
        raise DataError(f"cannot read {path!r}: {error}") from None


def _numbers(array: Any, path: str) -> NDArray[Any]:
    """The array, where it holds numbers, one example a row."""
    if isinstance(array, np.lib.npyio.NpzFile):
        array.close()
        raise DataError(f'{path!r} holds several arrays, of which use = "npz" reads one')
    if array.dtype.kind not in "uifb" or array.ndim == 0:
        raise DataError(f"{path!r} holds {array.dtype} of shape {array.shape}: examples are rows of numbers")
    return array  # type: ignore[no-any-return]


def _of_archive(archive: np.lib.npyio.NpzFile, name: str, path: str) -> NDArray[Any]:
    names = list(archive.files)
    if not name and len(names) != 1:
        raise DataError(f"array = … says which of {path!r} to read: {', '.join(names) or 'it is empty'}")
    if (name := name or names[0]) not in names:
        raise DataError(f"{path!r} holds no array {name!r}; there are: {', '.join(names)}")
    try:
        return archive[name]
    except UNREADABLE as error:
        raise DataError(f"cannot read the array {name!r} of {path!r}: {error}") from None
