"""Ranges of parameters, said once in the annotation and held everywhere.

``step_size: Annotated[float, Gt(0)]`` is checked when a component is built in Python, when a run
file is read, and is shown by ``ebmkit plugins show``. The markers are those of ``annotated_types``.
A number is finite unless its annotation says ``OrInfinite()``, or infinity is its default.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import types
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import repeat
from typing import Annotated, Any, ClassVar, Union, final, get_args, get_origin, get_type_hints

import attrs
from annotated_types import Ge, Gt, Le, Lt, MinLen

from ebmkit.messages.quoting import quoted

__all__ = [
    "Checked",
    "Exists",
    "Ge",
    "Gt",
    "Le",
    "Lt",
    "MinLen",
    "OrInfinite",
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


@final
@attrs.frozen
class OrInfinite:
    """Marks a number for which infinity means something: ``Annotated[float, Gt(0), OrInfinite()]``."""


def _bounds(hint: Any) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    """Each bound of an annotation as its text and its test."""
    if get_origin(hint) is not Annotated:
        return
    for marker in get_args(hint)[1:]:
        if type(marker) in _COMPARISONS:
            attribute, sign, compare = _COMPARISONS[type(marker)]
            yield f"{sign} {getattr(marker, attribute)}", partial(_holds, compare, getattr(marker, attribute))
        elif isinstance(marker, MinLen):
            text = "not empty" if marker.min_length == 1 else f"at least {marker.min_length} long"
            yield text, partial(_is_long, marker.min_length)


def _holds(compare: Callable[[Any, Any], bool], bound: Any, value: Any) -> bool:
    return compare(value, bound)


def _is_long(least: int, value: Any) -> bool:
    return len(value) >= least


def broken_bound(hint: Any, value: Any) -> str | None:
    """The first bound of ``hint`` that ``value`` breaks, as text, or None; tuples are checked item by item.

    Examples:
        >>> broken_bound(Annotated[float, Gt(0)], -1.0), broken_bound(float | None, math.inf)
        ('> 0', 'a finite number')
    """
    if isinstance(value, float) and not math.isfinite(value):
        if not _takes_infinity(hint):
            return "a finite number"
        if math.isnan(value):
            return "a number"
    for text, holds in _bounds(hint):
        if not holds(value):
            return text
    inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(inner) is tuple and isinstance(value, tuple):
        broken = (broken_bound(item_hint, item) for item_hint, item in _items(get_args(inner), value))
        return next((text for text in broken if text is not None), None)
    if get_origin(inner) in (Union, types.UnionType) and value is not None:
        return _broken_in_all(get_args(inner), value)
    return None


def _broken_in_all(hints: tuple[Any, ...], value: Any) -> str | None:
    """The first bound that is broken where no member of a union takes the value."""
    first = None
    for hint in hints:
        if hint is types.NoneType:
            continue
        try:
            broken = broken_bound(hint, value)
        except TypeError:  # a bound of another type
            continue
        if broken is None:
            return None
        first = first or broken
    return first


def _takes_infinity(hint: Any) -> bool:
    arguments = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return any(map(_takes_infinity, arguments))
    return get_origin(hint) is Annotated and (
        any(isinstance(marker, OrInfinite) for marker in arguments[1:]) or _takes_infinity(arguments[0])
    )


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
    """The bounds of an annotation for people: ``> 0, <= 1``; empty where there are none.

    Examples:
        >>> describe_bounds(Annotated[float, Gt(0), OrInfinite()])
        '> 0, or inf'
    """
    return ", ".join([*(text for text, _ in _bounds(hint)), *(["or inf"] if _takes_infinity(hint) else [])])


class Checked:
    """The base of parts that refuse arguments outside the ranges of their annotations.

    Attributes:
        built_with: the keyword arguments of its constructor, by which another one like it is built.
    """

    built_with: Mapping[str, Any] = types.MappingProxyType({})

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Let a constructor of one's own look at its keyword arguments before it begins."""
        super().__init_subclass__(**keywords)
        if "__init__" in cls.__dict__:
            cls.__init__ = _checking(cls, cls.__dict__["__init__"])  # type: ignore[method-assign]

    def __attrs_post_init__(self) -> None:
        """Look at the attributes of an attrs class, whose constructor is made later."""
        check_ranges(self)


def _checking(cls: type, construct: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(construct)
    def checked(self: Any, /, *arguments: Any, **keywords: Any) -> None:
        hints, defaults = _hints(construct), _defaults(construct)
        for name, value in keywords.items():
            if name in hints and name in defaults:
                _refuse_broken(cls, name, hints[name], value, defaults[name])
        # The outermost constructor comes first; an object with slots remembers nothing.
        getattr(self, "__dict__", {}).setdefault("built_with", keywords)
        construct(self, *arguments, **keywords)

    return checked


@functools.cache
def _hints(construct: Callable[..., None]) -> Mapping[str, Any]:
    """The annotations of a constructor; none where they name what cannot be found, which is no part's yet."""
    try:
        return get_type_hints(construct, include_extras=True)
    except (NameError, TypeError):
        return {}


@functools.cache
def _defaults(construct: Callable[..., None]) -> Mapping[str, Any]:
    """The parameters of a constructor with their defaults."""
    return {name: each.default for name, each in inspect.signature(construct).parameters.items()}


@functools.lru_cache(maxsize=256)
def _hints_of_class(cls: type) -> Mapping[str, Any]:
    """The annotations of a class, kept: evaluating them takes ten steps of a chain of small energies."""
    return get_type_hints(cls, include_extras=True)


def check_ranges(instance: object) -> None:
    """Raise ValueError for the first attribute outside the range of its class annotation."""
    cls: type = type(instance)
    defaults = {each.name: each.default for each in attrs.fields(cls)} if attrs.has(cls) else {}
    for name, hint in _hints_of_class(cls).items():
        if hasattr(instance, name) and get_origin(hint) is not ClassVar:
            _refuse_broken(cls, name, hint, getattr(instance, name), defaults.get(name))


def _refuse_broken(cls: type, name: str, hint: Any, value: Any, default: Any) -> None:
    is_default = isinstance(value, float) and isinstance(default, float) and value == default
    if not is_default and (bound := broken_bound(hint, value)) is not None:
        raise ValueError(f"{cls.__name__}: {name} must be {bound}, got {quoted(value)}")
