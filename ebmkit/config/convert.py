"""TOML values to typed ones, strictly: an integer may be a float, nothing else changes its kind."""

from __future__ import annotations

import contextlib
import math
import tomllib
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomli_w

from ebmkit.config.faults import ConversionError, OutOfRangeError
from ebmkit.config.opening import override_value
from ebmkit.config.records import as_table, fields_of, record_from, record_in
from ebmkit.messages.quoting import quoted
from ebmkit.parameters.ranges import broken_bound, describe_bounds

__all__ = [
    "UNSUPPORTED",
    "ConversionError",
    "OutOfRangeError",
    "as_toml",
    "convert",
    "convert_text",
    "describe",
    "is_supported",
]

_YES = {"on": True, "yes": True, "true": True, "off": False, "no": False, "false": False}

_SCALARS = (bool, int, float, str)

UNSUPPORTED = (
    "which a run file cannot hold: bool, int, float, str, Literal[…], tuple[…] of these and … | None can be"
)
"""What to say of a parameter of another type."""

_NAMES: Mapping[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    dict: "a table",
    list: "a list",
}


def convert(value: Any, hint: Any, *, written: str = "") -> Any:
    """``value`` as ``hint`` wants it.

    Args:
        value: of TOML.
        hint: the type, with its range.
        written: the value as it stands in the file, which tells best what was meant: ``1_000`` for 1000.

    Raises:
        ConversionError: another type, or not among the choices.
        OutOfRangeError: outside the annotated range.

    Examples:
        >>> convert([1, 2], tuple[float, ...])
        (1.0, 2.0)
    """
    try:
        converted = _convert(value, hint)
    except ConversionError as error:
        error.repaired = _repair(value, hint, written)
        raise
    if (bound := broken_bound(hint, converted)) is not None:
        raise OutOfRangeError(f"must be {bound}, got {quoted(value)}")
    return converted


def convert_text(text: str, hint: Any) -> Any:
    """What stands behind ``--set key=`` as ``hint`` wants it.

    A shell takes quotes away, so where a text is wanted it is taken as it stands, whatever it would be in
    TOML: a folder may be called 2024, or true.

    Raises:
        ConversionError: another type, or not among the choices.
        OutOfRangeError: outside the annotated range.

    Examples:
        >>> convert_text("0x10", int), convert_text("0x10", str), convert_text("true", str)
        (16, '0x10', 'true')
    """
    value = override_value(text)
    try:
        return convert(value, hint, written=text)
    except ConversionError:
        if not isinstance(value, str):
            with contextlib.suppress(ConversionError):
                return convert(text, hint)
        raise


def is_supported(hint: Any) -> bool:
    """Whether a run file can hold values of a type.

    Examples:
        >>> is_supported(tuple[float, ...] | None), is_supported(list[float])
        (True, False)
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return is_supported(arguments[0])
    if origin is Literal:
        return all(type(each) in _SCALARS for each in arguments)
    if origin in (Union, types.UnionType):
        return all(each is types.NoneType or is_supported(each) for each in arguments)
    if origin is tuple:
        return all(each is Ellipsis or is_supported(each) for each in arguments)
    if (record := record_in(hint)) is not None:
        return all(is_supported(each.hint) for each in fields_of(record).values())
    return hint in _SCALARS


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
    if (record := record_in(hint)) is not None:
        return f"table of {', '.join(fields_of(record))}"
    return hint.__name__ if type(hint) is type else str(hint)


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
    if (record := record_in(hint)) is not None:
        return record_from(value, record, convert)
    return _scalar(value, hint)


def _scalar(value: Any, hint: Any) -> Any:
    if hint is float and type(value) is int:
        return _as_float(value)
    # bool is a subclass of int in Python, but true is no number in a run file.
    if type(value) is not hint:
        wanted = _NAMES.get(hint, describe(hint))
        raise ConversionError(f"must be {wanted}, got {_what(value)}")
    if hint is str and not _is_text(value):
        raise OutOfRangeError(f"must be text in UTF-8, as a run file is, got {quoted(value)}")
    return value


def _is_text(value: str) -> bool:
    """Whether a run file can hold a string: a path of the command line may have bytes that are no text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:  # more than 308 digits
        return math.inf if value > 0 else -math.inf


def _what(value: Any) -> str:
    """A wrong value with its type: ``a string: 'adam'``."""
    return f"{_NAMES.get(type(value), 'a date or time')}: {quoted(value)}"


def _choice(value: Any, choices: tuple[Any, ...]) -> Any:
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    listed = ", ".join(repr(choice) for choice in choices)
    raise ConversionError(
        f"must be one of {listed}, got {quoted(value)}", [str(choice) for choice in choices]
    )


def _any_of(value: Any, hints: tuple[Any, ...]) -> Any:
    failures = []
    for hint in hints:
        if hint is types.NoneType:
            continue
        try:
            return _convert(value, hint)
        except ConversionError as error:
            failures.append(error)
    choices = [choice for failure in failures for choice in failure.choices]
    raise failures[0] if len(failures) == 1 else ConversionError(" or ".join(map(str, failures)), choices)


def _items(value: Any, hints: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ConversionError(f"must be a list, got {_what(value)}")
    if hints[-1] is Ellipsis:
        return tuple(_convert(item, hints[0]) for item in value)
    if len(value) != len(hints):
        raise ConversionError(f"must have {len(hints)} entries, got {len(value)}: {quoted(value)}")
    return tuple(_convert(item, hint) for item, hint in zip(value, hints, strict=True))


def as_toml(value: Any) -> str:
    """A value as it stands in a run file, which cannot say None: there such a key does not stand.

    Examples:
        >>> as_toml((32, 64)), as_toml("adam"), as_toml(True), as_toml(1e-08), as_toml(None)
        ('[32, 64]', '"adam"', 'true', '1e-08', 'not set')
    """
    if value is None:
        return "not set"
    if isinstance(value, list | tuple):
        return f"[{', '.join(as_toml(each) for each in value)}]"
    if (table := value if isinstance(value, dict) else as_table(value)) is not None:
        return f"{{ {', '.join(f'{key} = {as_toml(each)}' for key, each in table.items())} }}"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")


def _repair(value: Any, hint: Any, written: str) -> Any:
    """The first reading of a wrong value that the parameter would take, None where there is none."""
    for candidate in _readings(value, written):
        try:
            converted = _convert(candidate, hint)
        except ValueError:
            continue
        if broken_bound(hint, converted) is None:
            return candidate
    return None


def _readings(value: Any, written: str) -> Iterator[Any]:
    """What the author of ``value`` may have meant: without quotes, as a word, as a list, as an item."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):  # no TOML, or thousands of digits or brackets
            yield tomllib.loads(f"value = {value}")["value"]
        if value.lower() in _YES:
            yield _YES[value.lower()]
    elif isinstance(value, float) and value.is_integer():
        yield int(value)
    elif type(value) is int and value in (0, 1):
        yield bool(value)
    if isinstance(value, list):
        if len(value) == 1:
            yield value[0]
    else:
        yield [value]
        if not isinstance(value, str | dict):
            yield written or as_toml(value)
