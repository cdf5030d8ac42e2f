"""What code reads, and whether the same is still there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from operator import is_
from types import FunctionType
from typing import Any, final

__all__ = ["Reads", "is_fixed"]

_FIXED = frozenset({*sys.stdlib_module_names, "attr", "attrs", "ebmkit", "numpy", "torch"} - {"__main__"})
"""Packages whose code stays as it is while a process runs."""

_ABSENT = object()


@final
class Reads:
    """Places in dictionaries and functions, and what was found there.

    Attributes:
        complete: whether all that was found cannot change without another object being put in its place.
    """

    def __init__(self) -> None:
        self.complete = True
        self._items: list[tuple[Mapping[str, Any], tuple[str, ...], list[Any], int | None]] = []
        self._functions: list[tuple[FunctionType, tuple[object, ...]]] = []

    def items(self, mapping: Mapping[str, Any], names: tuple[str, ...], *, whole: bool = False) -> None:
        """Note the values of these names, which may be missing."""
        found = [mapping.get(name, _ABSENT) for name in names]
        self._items.append((mapping, names, found, len(names) if whole else None))

    def function(self, function: FunctionType) -> None:
        """Note what it is made of; what its closure and its attributes hold may change unseen."""
        if function.__closure__ or function.__dict__ or function.__kwdefaults__:
            self.complete = False
        self._functions.append((function, _parts(function)))

    def hold(self) -> bool:
        """Whether the same objects are there."""
        for mapping, names, found, length in self._items:
            if length is not None and len(mapping) != length:
                return False
            if not all(map(is_, [mapping.get(name, _ABSENT) for name in names], found)):
                return False
        return all(all(map(is_, _parts(function), parts)) for function, parts in self._functions)


def _parts(function: FunctionType) -> tuple[object, ...]:
    return function.__code__, function.__defaults__, function.__kwdefaults__, function.__closure__


@lru_cache(maxsize=4096)
def is_fixed(module: str | None) -> bool:
    """Whether the code of a module, by its name, stays as it is."""
    return module is not None and module.partition(".")[0] in _FIXED
