"""Ranges of parameters, said once in the annotation and held everywhere.

``step_size: Annotated[float, Gt(0)]`` is checked when a component is built in Python, when a run
file is read, and is shown by ``ebmkit plugins show``. The markers are those of ``annotated_types``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import attrs
from annotated_types import Ge, Gt, Le, Lt, MinLen

from ebmkit.quoting import quoted

__all__ = [
    "Exists",
    "Ge",
    "Gt",
    "Le",
    "Lt",
    "MinLen",
    "broken_bound",
    "check_ranges",
    "describe_bounds",
    "must_exist",
]


@attrs.frozen
class Exists:
    """Marks the path of data that must be there: ``path: Annotated[str, Exists()]``.

    A run file is refused where nothing is at the path, together with all else that is wrong with it;
    what is there is the source's to judge. The empty string names nothing.
    """


_COMPARISONS: dict[type, tuple[str, str, Callable[[Any, Any], bool]]] = {
    Gt: ("gt", ">", operator.gt),
    Ge: ("ge", ">=", operator.ge),
    Lt: ("lt", "<", operator.lt),
    Le: ("le", "<=", operator.le),
}


def _bounds(hint: Any) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    """Each bound of an annotation as its text and its test."""
    if get_origin(hint) is not Annotated:
        return
    for marker in get_args(hint)[1:]:
        if type(marker) in _COMPARISONS:
            attribute, sign, compare = _COMPARISONS[type(marker)]
            yield f"{sign} {getattr(marker, attribute)}", partial(_holds, compare, getattr(marker, attribute))
        elif isinstance(marker, MinLen):
            yield f"at least {marker.min_length} long", partial(_is_long, marker.min_length)


def _holds(compare: Callable[[Any, Any], bool], bound: Any, value: Any) -> bool:
    return compare(value, bound)


def _is_long(least: int, value: Any) -> bool:
    return len(value) >= least


def broken_bound(hint: Any, value: Any) -> str | None:
    """The first bound of ``hint`` that ``value`` breaks, as text, or None; tuples are checked item by item.

    Examples:
        >>> broken_bound(Annotated[float, Gt(0)], -1.0)
        '> 0'
    """
    for text, holds in _bounds(hint):
        if not holds(value):
            return text
    inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(inner) is tuple and isinstance(value, tuple):
        broken = (broken_bound(item_hint, item) for item_hint, item in _items(get_args(inner), value))
        return next((text for text in broken if text is not None), None)
    return None


def _items(hints: tuple[Any, ...], value: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    """Each item of a tuple with the hint that is its own."""
    return zip(repeat(hints[0]) if hints[-1] is Ellipsis else hints, value, strict=False)


def must_exist(hint: Any) -> bool:
    """Whether an annotation says that its values are paths at which something must be.

    Examples:
        >>> must_exist(Annotated[str, Exists()]), must_exist(str)
        (True, False)
    """
    return get_origin(hint) is Annotated and any(isinstance(each, Exists) for each in get_args(hint)[1:])


def describe_bounds(hint: Any) -> str:
    """The bounds of an annotation for people: ``> 0, <= 1``; empty where there are none."""
    return ", ".join(text for text, _ in _bounds(hint))


def check_ranges(instance: object) -> None:
    """Raise ValueError for the first attribute outside the range of its class annotation."""
    for name, hint in get_type_hints(type(instance), include_extras=True).items():
        if not hasattr(instance, name):
            continue
        value = getattr(instance, name)
        if (bound := broken_bound(hint, value)) is not None:
            raise ValueError(f"{type(instance).__name__}: {name} must be {bound}, got {quoted(value)}")
