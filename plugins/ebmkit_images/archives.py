"""A zip archive of image files, as an index of names."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Sequence
from typing import IO, Any, final

import numpy as np

from ebmkit.errors import DataError
from ebmkit.pictures import is_picture_name, printable
from ebmkit_images.names import Names
from ebmkit_images.places import Choice, Place, few, set_aside

__all__ = ["Archive"]


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
        shown, left_out = set_aside([each.filename for each in members])
        links = [printable(members[at].filename) for at in shown if _is_link(members[at])]
        members = [members[at] for at in shown if not _is_link(members[at])]
        self.notes = tuple(each for each in (left_out, _of_links(links)) if each)
        names = [each.filename for each in members]
        chosen = choice.of(names, path, besides=self.notes)
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


def _is_link(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a symbolic link, as Unix packs it: its content is a path."""
    return stat.S_ISLNK(member.external_attr >> 16)


def _of_links(links: Sequence[str]) -> str:
    return f"links in the archive are not followed: {few(links)}" if links else ""


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
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot read the zip archive {path!r}: {error}") from None
