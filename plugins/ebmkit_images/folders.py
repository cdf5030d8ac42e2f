"""A folder of image files, as an index of names."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, final

import numpy as np

from ebmkit.errors import DataError
from ebmkit_images.names import Names
from ebmkit_images.places import Choice, Place, set_aside
from ebmkit_images.walk import Walk

__all__ = ["Directory"]


@final
class Directory(Place):
    """The image files of a folder and its sub-folders, linked ones included.

    Raises:
        DataError: no such folder, or no image in it.
    """

    def __init__(self, path: str, choice: Choice) -> None:
        self.path = path
        _refuse_no_folder(path)
        walk = Walk(path)
        files = sorted(walk.files)
        shown, left_out = set_aside([name for name, _ in files])
        files = [files[at] for at in shown]
        self.notes = (*([left_out] if left_out else []), *walk.notes)
        names = [name for name, _ in files]
        chosen = choice.of(names, path, besides=self.notes)
        self.names = Names(names[at] for at in chosen)
        self._sizes = np.array([files[at][1] for at in chosen], dtype=np.int64)

    def keep(self, positions: Sequence[int]) -> None:
        """Forget all files but those at these positions."""
        super().keep(positions)
        self._sizes = self._sizes[list(positions)]

    def open(self, position: int) -> IO[bytes]:
        """The file at a position."""
        return Path(self.label(position)).open("rb")

    def label(self, position: int) -> str:
        """The path of the file."""
        return f"{self.path}/{self.names[position]}"

    def size(self, position: int) -> int:
        """Bytes of the file when the folder was opened."""
        return int(self._sizes[position])

    def checksum(self, position: int) -> int:
        """CRC-32 of the file, which is read for it; 0 where that is impossible."""
        try:
            return zlib.crc32(Path(self.label(position)).read_bytes())
        except OSError:
            return 0


def _refuse_no_folder(path: str) -> None:
    if not path:  # which the system would take for the folder that the run is started in
        raise DataError("path is empty: name the folder")
    try:
        if stat.S_ISDIR(Path(path).stat().st_mode):
            return
        reason = "is not a folder"
        if zipfile.is_zipfile(path):
            reason += ' but a zip archive, which use = "zip" reads'
    except (FileNotFoundError, NotADirectoryError):
        reason = "does not exist"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except ValueError as error:  # no file can have such a name
        reason = f"cannot be read: {error}"
    raise DataError(f"path = {path!r} {reason}")
