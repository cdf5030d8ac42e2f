"""A million file names in little memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final, overload

import numpy as np

__all__ = ["Names"]


@final
class Names(Sequence[str]):
    """A list of strings as one block of bytes: about the length of each name and 8 bytes.

    Examples:
        >>> names = Names(["b.png", "ä.png"])
        >>> names[1], len(names)
        ('ä.png', 2)
    """

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        self._ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        self._bytes = b"".join(encoded)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ends) - 1

    @overload
    def __getitem__(self, position: int, /) -> str: ...
    @overload
    def __getitem__(self, position: slice, /) -> list[str]: ...
    def __getitem__(self, position: int | slice, /) -> str | list[str]:
        """The name at a position."""
        if isinstance(position, slice):
            return [self[each] for each in range(*position.indices(len(self)))]
        at = range(len(self))[position]
        begin, end = self._ends[at : at + 2]
        return self._bytes[begin:end].decode("utf-8", "surrogateescape")
