"""``output.log``: that what a run prints does not arrive, where its reader will look for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import final

import attrs

__all__ = ["OutputLog"]


@final
@attrs.frozen
class OutputLog:
    """Notes once of each stream that something printed was lost, and when.

    Attributes:
        path: of the file, which is not there while nothing is lost.
        lost: the streams of which something was, with the reason; it grows.
    """

    path: Path
    lost: Mapping[str, str]
    _noted: set[str] = attrs.field(factory=set, init=False)

    def note(self, iteration: int) -> None:
        """Append what is new; where the disk has no room for it either, it is tried again next time.

        Args:
            iteration: how many are done.
        """
        for name in [name for name in self.lost if name not in self._noted]:
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            line = (
                f"{now}: {name} cannot be written ({self.lost[name]}); trains on from iteration {iteration}\n"
            )
            with suppress(OSError), self.path.open("a", encoding="utf-8") as file:
                file.write(line)
                self._noted.add(name)
