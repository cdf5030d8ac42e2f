"""Parameters that are tables: attrs classes, in a run file ``{ start = 1.0, end = 0.01 }``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

import attrs

from ebmkit.config.faults import ConversionError, OutOfRangeError
from ebmkit.messages.quoting import quoted
from ebmkit.parameters.signature import REQUIRED, Parameter, signature_of

__all__ = ["as_table", "fields_of", "plain", "record_from", "record_in"]


def record_in(hint: Any) -> type[Any] | None:
    """The attrs class in an annotation, ``Ramp`` in ``Ramp | None``; None where there is none."""
    for each in (hint, *get_args(hint)) if get_origin(hint) is not None else (hint,):
        if isinstance(each, type) and attrs.has(each):
            return each
    return None


def fields_of(record: type[Any]) -> Mapping[str, Parameter]:
    """Its keys."""
    signature = signature_of(record)  # type: ignore[arg-type] # a class can be hashed
    return {each.name: each for each in signature.parameters}


def record_from(value: Any, record: type[Any], convert: Callable[[Any, Any], Any]) -> Any:
    """A table as a record.

    Args:
        value: what stands in the run file.
        record: its class.
        convert: one value as an annotation wants it.

    Raises:
        ConversionError: no table, one with other keys, or a value of another type.
        OutOfRangeError: a value outside its range, or values that do not go together.
    """
    if not isinstance(value, dict):
        raise ConversionError(f"must be a table, got {quoted(value)}")
    known = fields_of(record)
    if fault := _key_fault(value, known):
        raise ConversionError(f"{fault}; its keys are {', '.join(known)}")
    fields = {name: _field(name, each, known[name].hint, convert) for name, each in value.items()}
    try:
        return record(**fields)
    except ValueError as error:
        raise OutOfRangeError(f"does not hold: {error}") from None


def _key_fault(value: Mapping[str, Any], known: Mapping[str, Parameter]) -> str:
    """Which key a table has that the record has not, or lacks; nothing where it has what it should."""
    for name in value:
        if name not in known:
            return f"has no key {quoted(name)}"
    missing = (name for name, each in known.items() if each.default is REQUIRED and name not in value)
    return "".join(f"needs the key {name!r}" for name in list(missing)[:1])


def _field(name: str, value: Any, hint: Any, convert: Callable[[Any, Any], Any]) -> Any:
    """One value; a problem names the whole path, ``'temperature.end'``."""
    try:
        return convert(value, hint)
    except (ConversionError, OutOfRangeError) as error:
        text, opening = str(error), "has a wrong '"
        inner = f".{text.removeprefix(opening)}" if text.startswith(opening) else f"': {text}"
        raise type(error)(f"{opening}{name}{inner}") from None


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with tables for the records among them, without what is not set there."""
    return {name: _plain(value) for name, value in values.items()}


def as_table(value: Any) -> dict[str, Any] | None:
    """The table that stands for a record; None for anything else."""
    if not attrs.has(type(value)):
        return None
    fields = {each.name: getattr(value, each.name) for each in attrs.fields(type(value))}
    return plain({name: each for name, each in fields.items() if each is not None})


def _plain(value: Any) -> Any:
    table = as_table(value)
    return value if table is None else table
