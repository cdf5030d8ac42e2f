"""Whose code raised: the file and line of a part's own code that an error came from.

The innermost frame of a traceback is often inside torch or ebmkit. What the author of a part needs is the
last line of their own that led there.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

__all__ = ["Place", "defined_at", "last_outside", "nearest", "place_in"]

T = TypeVar("T")

_FOREIGN = frozenset({"torch", "ebmkit", "builtins", "abc", "typing", "attr"})
"""Packages whose classes parts inherit from without being their authors'."""


class Place(NamedTuple):
    """A line of code; as text ``file:line``.

    Attributes:
        file: as Python compiled it.
        line: from 1.
        depth: how many calls below where the error was caught.
    """

    file: str
    line: int
    depth: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def place_in(error: BaseException, part: Callable[..., Any]) -> Place | None:
    """The last line of a part's own code that the error came through; None where it came through none.

    Its own code is the module of its class and those of the classes it inherits from; or else its package.

    Args:
        error: as it was caught.
        part: the class of the part, or whatever makes it.
    """
    modules = {module for module, _ in _classes(part)}
    packages = {module.partition(".")[0] for module in modules} - _FOREIGN
    return _last(error, lambda module, _: module in modules) or _last(
        error, lambda module, _: module.partition(".")[0] in packages
    )


def nearest(error: BaseException, parts: Mapping[T, Callable[..., Any]]) -> T | None:
    """Which of several parts has the last line of its own that the error came through; None where none has.

    Of parts that stand in one module, it is the one whose method is nearest to the end.

    Args:
        error: as it was caught.
        parts: the classes, by whatever stands for them.
    """
    places = {each: place for each, part in parts.items() if (place := place_in(error, part)) is not None}
    return max(places, key=lambda each: (places[each].depth, _depth(error, parts[each])), default=None)


def defined_at(part: Callable[..., Any]) -> Place | None:
    """Where the class of a part begins; None where its source is not at hand."""
    try:
        file = inspect.getsourcefile(part)
        return Place(file, inspect.getsourcelines(part)[1]) if file is not None else None
    except (OSError, TypeError):
        return None


def last_outside(error: BaseException, *packages: str) -> Place | None:
    """The last line that an error came through and that is in none of these packages."""
    return _last(error, lambda module, _: module.partition(".")[0] not in packages)


def _depth(error: BaseException, part: Callable[..., Any]) -> int:
    """How deep the last method of the class itself is, or of one that it inherits from; -1 without any."""
    prefixes = tuple(f"{module}:{name}." for module, name in _classes(part))
    place = _last(error, lambda module, code: f"{module}:{code}".startswith(prefixes))
    return place.depth if place else -1


def _last(error: BaseException, counts: Callable[[str, str], bool]) -> Place | None:
    """The last line whose module and whose function, ``Class.method``, count."""
    found = None
    for depth, (frame, line) in enumerate(traceback.walk_tb(error.__traceback__)):
        if counts(frame.f_globals.get("__name__", ""), frame.f_code.co_qualname):
            found = Place(frame.f_code.co_filename, line, depth)
    return found


def _classes(part: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Module and name of a class and of those it inherits from; of a function, its own."""
    made = part if hasattr(part, "__qualname__") else type(part)  # such as functools.partial
    yield made.__module__, made.__qualname__
    for each in part.__mro__ if isinstance(part, type) else ():
        if each.__module__.partition(".")[0] not in _FOREIGN:
            yield each.__module__, each.__qualname__
