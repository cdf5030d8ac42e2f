"""What was found out about the fast paths of an energy, for as long as the energy lives."""

from __future__ import annotations

from collections.abc import Hashable
from typing import final
from weakref import ref

__all__ = ["Notes"]


@final
class Notes:
    """A set of notes on each of many objects, which it does not keep alive.

    Objects are told apart by identity: modules may define equality as they like.

    Examples:
        >>> class Thing: ...
        >>> thing, notes = Thing(), Notes()
        >>> notes.add(thing, "seen")
        >>> notes.has(thing, "seen"), notes.has(Thing(), "seen")
        (True, False)
    """

    def __init__(self) -> None:
        self._notes: dict[int, tuple[ref[object], set[Hashable]]] = {}

    def has(self, about: object, note: Hashable) -> bool:
        """Whether this was noted about the object."""
        found = self._notes.get(id(about))
        return found is not None and note in found[1]

    def add(self, about: object, note: Hashable) -> None:
        """Note it."""
        key = id(about)
        if key not in self._notes:
            self._notes[key] = (ref(about, lambda _: self._notes.pop(key, None)), set())
        self._notes[key][1].add(note)

    def replace(self, about: object, note: Hashable) -> None:
        """Note this and nothing else: for what is true of an object as it is now."""
        self._notes.pop(id(about), None)
        self.add(about, note)
