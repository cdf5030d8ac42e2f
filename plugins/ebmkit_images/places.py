"""Where image files lie: an index of names, and which of them are the data."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import IO

import attrs

from ebmkit.errors import DataError
from ebmkit.messages.quoting import quoted, shortened
from ebmkit.pictures import FORMATS, printable
from ebmkit_images.names import Names

__all__ = ["Choice", "Place", "few", "is_aside", "set_aside"]

_NAMED = 3

_ASIDE = re.compile(
    r"""(?:^|/)(?:
        (?P<double>\._)[^/]*$       # the other half of a file, as macOS packs it
      | (?P<hidden>\.(?!\.?/)[^/]*)  # . and .. are no names
      | (?P<service>__MACOSX | @eaDir | \#recycle | @Recycle | \$RECYCLE\.BIN | lost\+found
                    | System\ Volume\ Information)/
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""Hidden files and folders, and folders that systems make: trash, thumbnails, checkpoints of editors."""


def few(items: Sequence[str]) -> str:
    """The first items of a list for people, and how many more there are.

    Examples:
        >>> few(["a", "b", "c", "d"])
        'a; b; c; and 1 more'
    """
    more = f"; and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return "; ".join(items[:_NAMED]) + more


def is_aside(name: str) -> bool:
    """Whether a file, or a folder that ends with ``/``, is hidden or made by a system for itself.

    Examples:
        >>> is_aside(".Trash-1000/a.png"), is_aside("@eaDir/"), is_aside("../a.png")
        (True, True, False)
    """
    return _ASIDE.search(name) is not None


def set_aside(names: Sequence[str]) -> tuple[list[int], str]:
    """The positions of the names that nobody hid, and a note about the others, empty where there are none.

    Examples:
        >>> set_aside(["a.png", "._a.png", ".Trash/b.png"])
        ([0], '2 images in hidden or service places are left out: .Trash (1); ._* (1)')
    """
    kept, aside = [], Counter[str]()
    for at, name in enumerate(names):
        if (found := _ASIDE.search(name)) is None:
            kept.append(at)
        else:
            aside[_group(found)] += 1
    if not aside:
        return kept, ""
    places = [f"{name} ({count})" for name, count in sorted(aside.items(), key=lambda each: (-each[1], each))]
    count = aside.total()
    images, are = ("image", "is") if count == 1 else ("images", "are")
    return kept, f"{count} {images} in hidden or service places {are} left out: {few(places)}"


def _group(found: re.Match[str]) -> str:
    """What images are told together that are left out for one reason: a folder, or hidden files."""
    if found["double"]:
        return "._*"
    name = found["hidden"] or found["service"]
    is_folder = found.end() < len(found.string) or found["service"]
    return shortened(printable(name)) if is_folder else ".*"


@attrs.frozen
class Choice:
    """Which files of a place are the data: those that match ``pattern``, ``limit`` of them after ``skip``."""

    pattern: str = "*"
    skip: int = 0
    limit: int = 0

    def of(self, names: Sequence[str], path: str, *, besides: Sequence[str] = ()) -> list[int]:
        """The positions of the chosen names.

        Args:
            names: of all images there are.
            path: where, for the message.
            besides: what else is to be said where none is chosen.

        Raises:
            DataError: none is chosen; says why.
        """
        matching = [at for at, name in enumerate(names) if fnmatchcase(name, self.pattern)]
        chosen = matching[self.skip : self.skip + self.limit] if self.limit else matching[self.skip :]
        if not chosen:
            found = f"{len(names)} images" if names else f"no image file ({', '.join(FORMATS)})"
            if names and not matching:
                found += f", and none matches pattern = {quoted(self.pattern)}"
            elif matching:
                found += f", and skip = {self.skip} leaves none"
            raise DataError("; ".join([f"path = {path!r} holds {found}", *besides]))
        return chosen


class Place(ABC):
    """An index of image files in the order of their names. Several threads may read at once.

    Attributes:
        names: relative to the place, with ``/``.
        indexed: checksums are known without reading the files.
        notes: what people should know: what is left out, and what is read from elsewhere.
    """

    names: Names
    indexed = False
    notes: tuple[str, ...] = ()

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
