"""Where image files lie: a folder or a zip archive, as an index of names."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, final

import attrs
import numpy as np

from ebmkit.errors import DataError
from ebmkit.pictures import is_picture_name, printable
from ebmkit.quoting import quoted
from ebmkit_images.names import Names

__all__ = ["Archive", "Choice", "Directory", "Place"]


@attrs.frozen
class Choice:
    """Which files of a place are the data: those that match ``pattern``, ``limit`` of them after ``skip``."""

    pattern: str = "*"
    skip: int = 0
    limit: int = 0

    def of(self, names: Sequence[str], path: str) -> list[int]:
        """The positions of the chosen names.

        Raises:
            DataError: none is chosen; says why.
        """
        matching = [at for at, name in enumerate(names) if fnmatchcase(name, self.pattern)]
        chosen = matching[self.skip : self.skip + self.limit] if self.limit else matching[self.skip :]
        if not chosen:
            found = f"{len(names)} images" if names else "no image file"
            if names and not matching:
                found += f", and none matches pattern = {quoted(self.pattern)}"
            elif matching:
                found += f", and skip = {self.skip} leaves none"
            raise DataError(f"path = {path!r} holds {found}")
        return chosen


class Place(ABC):
    """An index of image files in the order of their names. Several threads may read at once.

    Attributes:
        names: relative to the place, with ``/``.
        indexed: checksums are known without reading the files.
    """

    names: Names
    indexed = False

    @abstractmethod
    def open(self, position: int) -> IO[bytes]:
        """The file at a position.

        Raises:
            OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError: it cannot be opened.
        """

    def keep(self, positions: Sequence[int]) -> None:
        """Forget all files but those at these positions."""
        self.names = Names(self.names[at] for at in positions)

    @abstractmethod
    def label(self, position: int) -> str:
        """How to call the file in a message."""

    @abstractmethod
    def size(self, position: int) -> int:
        """Bytes of the file, without reading it."""

    @abstractmethod
    def checksum(self, position: int) -> int:
        """CRC-32 of the file."""


@final
class Directory(Place):
    """The image files of a folder and its sub-folders.

    Raises:
        DataError: no such folder, or no image in it.
    """

    def __init__(self, path: str, choice: Choice) -> None:
        self.path = path
        _refuse_no_folder(path)
        files = sorted(_walk(path))
        names = [name for name, _ in files]
        chosen = choice.of(names, path)
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


def _walk(root: str) -> Iterator[tuple[str, int]]:
    """The image files under a folder by name, relative to it, and size; follows no link to a folder.

    A link that leads nowhere is given too: reading it tells. Pipes, sockets and devices are no files.

    Raises:
        DataError: a sub-folder cannot be read.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(f"{root}/{folder}") as entries:
                found = list(entries)
        except OSError as error:
            raise DataError(
                f"cannot read the folder {printable(f'{root}/{folder}')}: {error.strerror}"
            ) from None
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                folders.append(f"{folder}{entry.name}/")
            elif is_picture_name(entry.name) and (size := _size_of_file(entry)) is not None:
                yield folder + entry.name, size


def _size_of_file(entry: os.DirEntry[str]) -> int | None:
    """Bytes; 0 for a link that leads nowhere, None for what is no file."""
    try:
        status = entry.stat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else None


@final
class Archive(Place):
    """The image files of a zip archive; nothing is unpacked to disk.

    Of what the zip says about its members only the numbers that find them again are kept: at a
    million members the records of ``zipfile`` alone would fill a gigabyte.

    Raises:
        DataError: no such archive, it is none, or holds no image.
    """

    indexed = True

    def __init__(self, path: str, choice: Choice) -> None:
        self.path = path
        self._zip = _open_zip(path)
        members = [each for each in self._zip.infolist() if is_picture_name(each.filename)]
        members.sort(key=lambda each: each.filename)
        names = [each.filename for each in members]
        chosen = choice.of(names, path)
        self.names = Names(names[at] for at in chosen)
        self._numbers = np.array([_numbers(members[at]) for at in chosen], dtype=np.int64)
        _forget_members(self._zip)

    def __getstate__(self) -> dict[str, Any]:
        """All but the open file, which another process opens for itself."""
        return {name: value for name, value in vars(self).items() if name != "_zip"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the file again."""
        vars(self).update(state)
        self._zip = _open_zip(self.path)
        _forget_members(self._zip)

    def keep(self, positions: Sequence[int]) -> None:
        """Forget all members but those at these positions."""
        super().keep(positions)
        self._numbers = self._numbers[list(positions)]

    def open(self, position: int) -> IO[bytes]:
        """The member at a position."""
        return self._zip.open(_record(self.names[position], self._numbers[position].tolist()))

    def label(self, position: int) -> str:
        """The archive and the member."""
        return f"{self.path}:{self.names[position]}"

    def size(self, position: int) -> int:
        """Bytes of the member, unpacked."""
        return int(self._numbers[position, _FIELDS.index("file_size")])

    def checksum(self, position: int) -> int:
        """CRC-32 of the member as the archive states it; reading a member verifies it."""
        return int(self._numbers[position, _FIELDS.index("CRC")])


_FIELDS = ("header_offset", "compress_size", "file_size", "compress_type", "flag_bits", "CRC")


def _numbers(member: zipfile.ZipInfo) -> list[int]:
    return [getattr(member, field) for field in _FIELDS]


def _record(name: str, numbers: list[int]) -> zipfile.ZipInfo:
    """What ``zipfile`` needs to read a member."""
    member = zipfile.ZipInfo(name)
    for field, value in zip(_FIELDS, numbers, strict=True):
        setattr(member, field, value)
    return member


def _forget_members(opened: zipfile.ZipFile) -> None:
    opened.filelist.clear()
    opened.NameToInfo.clear()


def _open_zip(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"path = {path!r} does not exist") from None
    except IsADirectoryError:
        raise DataError(f'path = {path!r} is a folder, which use = "folder" reads') from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot read the zip archive {path!r}: {error}") from None
