"""TOML values to typed ones, strictly: an integer may be a float, nothing else changes its kind."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ebmkit.parameters import broken_bound, describe_bounds

__all__ = ["ConversionError", "OutOfRangeError", "convert", "describe"]

_NAMES: Mapping[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    dict: "a table",
    list: "a list",
}


class ConversionError(ValueError):
    """The value has another type; ``suggestion`` is what was probably meant."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


class OutOfRangeError(ValueError):
    """The value has the right type and breaks a bound."""


def convert(value: Any, hint: Any) -> Any:
    """``value`` as ``hint`` wants it.

    Raises:
        ConversionError: another type, or not among the choices.
        OutOfRangeError: outside the annotated range.

    Examples:
        >>> convert([1, 2], tuple[float, ...])
        (1.0, 2.0)
    """
    converted = _convert(value, hint)
    if (bound := broken_bound(hint, converted)) is not None:
        raise OutOfRangeError(f"must be {bound}, got {value!r}")
    return converted


def describe(hint: Any) -> str:
    """The type and range of a parameter for people.

    Examples:
        >>> from ebmkit.core import Ge
        >>> describe(Annotated[int, Ge(1)])
        'int, >= 1'
    """
    bounds = describe_bounds(hint)
    if get_origin(hint) is Annotated:
        return f"{describe(get_args(hint)[0])}, {bounds}" if bounds else describe(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return " | ".join(repr(choice) for choice in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(describe(each) for each in get_args(hint) if each is not types.NoneType)
    if get_origin(hint) is tuple:
        items = [describe(each) for each in get_args(hint) if each is not Ellipsis]
        return f"list of ({items[0]})" if Ellipsis in get_args(hint) else f"[{'; '.join(items)}]"
    return getattr(hint, "__name__", str(hint))


def _convert(value: Any, hint: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _convert(value, arguments[0])
    if origin is Literal:
        return _choice(value, arguments)
    if origin in (Union, types.UnionType):
        return _any_of(value, arguments)
    if origin is tuple:
        return _items(value, arguments)
    return _scalar(value, hint)


def _scalar(value: Any, hint: Any) -> Any:
    if hint is float and type(value) is int:
        return float(value)
    # bool is a subclass of int in Python, but true is no number in a run file.
    if type(value) is not hint:
        wanted = _NAMES.get(hint, describe(hint))
        raise ConversionError(f"must be {wanted}, got {_NAMES.get(type(value), 'a date or time')}: {value!r}")
    return value


def _choice(value: Any, choices: tuple[Any, ...]) -> Any:
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    names = [str(choice) for choice in choices]
    near = difflib.get_close_matches(str(value), names, n=1)
    listed = ", ".join(repr(choice) for choice in choices)
    raise ConversionError(f"must be one of {listed}, got {value!r}", near[0] if near else None)


def _any_of(value: Any, hints: tuple[Any, ...]) -> Any:
    failures = []
    for hint in hints:
        if hint is types.NoneType:
            continue
        try:
            return _convert(value, hint)
        except ConversionError as error:
            failures.append(error)
    raise failures[0] if len(failures) == 1 else ConversionError(" or ".join(map(str, failures)))


def _items(value: Any, hints: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ConversionError(f"must be a list, got {_NAMES.get(type(value), 'a date or time')}: {value!r}")
    if hints[-1] is Ellipsis:
        return tuple(_convert(item, hints[0]) for item in value)
    if len(value) != len(hints):
        raise ConversionError(f"must have {len(hints)} entries, got {len(value)}: {value!r}")
    return tuple(_convert(item, hint) for item, hint in zip(value, hints, strict=True))
