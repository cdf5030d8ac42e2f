"""The image files under a folder, linked folders included."""

from __future__ import annotations

import heapq
import os
import stat
from pathlib import Path
from typing import final

from ebmkit.errors import DataError
from ebmkit.messages.quoting import shortened
from ebmkit.pictures import is_picture_name, printable
from ebmkit_images.places import few, is_aside

__all__ = ["Walk"]


@final
class Walk:
    """Every image file under a folder, hidden ones too, each folder once.

    Real folders are read first, then linked ones in the order of their names, so that the same tree gives
    the same names whatever order the file system lists them in. A link is not followed to a folder that is
    read anyway, or that holds the link. In hidden places no link is followed, and what cannot be read
    there does not matter. Pipes, sockets and devices are no files.

    Args:
        root: the folder.

    Attributes:
        files: name, relative to the root, and bytes; 0 for a link that leads nowhere: reading it tells.
        notes: for people: what links lead to.

    Raises:
        DataError: a sub-folder cannot be read.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.files: list[tuple[str, int]] = []
        self._real_root = Path(os.path.realpath(root))
        self._seen: set[tuple[int, int]] = set()
        self._links: list[str] = []
        self._outside: list[str] = []
        self._again: list[str] = []
        self._broken: list[str] = []
        self._read_tree("")
        while self._links:
            self._follow(heapq.heappop(self._links))

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each kind of link there is."""
        said = {
            "linked folders outside are read too": self._outside,
            "links to folders that are read anyway, or around the link, are not followed": self._again,
            "links lead nowhere": self._broken,
        }
        return tuple(f"{what}: {few(sorted(links))}" for what, links in said.items() if links)

    def _follow(self, name: str) -> None:
        """Read the folder that a link leads to, under the link's name."""
        link = Path(f"{self.root}/{name}")
        target = Path(os.path.realpath(link))
        shown = shortened(printable(name))
        around = (self._real_root, Path(os.path.realpath(link.parent)))
        if _identity(target) in self._seen or any(each.is_relative_to(target) for each in around):
            self._again.append(shown)
            return
        if not target.is_relative_to(self._real_root):
            self._outside.append(f"{shown} -> {shortened(printable(str(target)))}")
        self._read_tree(f"{name}/")

    def _read_tree(self, top: str) -> None:
        """Read a folder and all real ones in it."""
        folders = [top]
        while folders:
            folder = folders.pop()
            path, aside = f"{self.root}/{folder}", is_aside(folder)
            try:
                if not aside:
                    identity = _identity(path)
                    if identity in self._seen:
                        continue
                    self._seen.add(identity)
                with os.scandir(path) as entries:
                    found = list(entries)
            except OSError as error:
                if aside:
                    continue
                raise DataError(f"cannot read the folder {printable(path)}: {error.strerror}") from None
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{folder}{entry.name}/")
                elif is_picture_name(entry.name) or entry.is_symlink():
                    self._note(folder + entry.name, entry)

    def _note(self, name: str, entry: os.DirEntry[str]) -> None:
        """Remember an image file, or a link to one or to a folder."""
        size = 0
        try:
            status = entry.stat()
        except OSError:
            if not is_picture_name(name):
                if not is_aside(name):
                    self._broken.append(shortened(printable(name)))
                return
        else:
            if stat.S_ISDIR(status.st_mode) and not is_aside(f"{name}/"):
                heapq.heappush(self._links, name)
            if not stat.S_ISREG(status.st_mode):
                return
            size = status.st_size
        if is_picture_name(name):
            self.files.append((name, size))


def _identity(path: str | Path) -> tuple[int, int]:
    """The device and number of a folder, whatever its name."""
    status = os.stat(path)  # noqa: PTH116 - a string nearly always
    return status.st_dev, status.st_ino
