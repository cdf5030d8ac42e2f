"""The values of the tables that name parts, each against the signature of its part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ebmkit.config import (
    UNSUPPORTED,
    AveragingTable,
    Key,
    Parameter,
    Reader,
    describe,
    header,
    is_supported,
    signature_of,
)
from ebmkit.config.parts import Part
from ebmkit.config.search import Found, owner_of
from ebmkit.config.slots import AVERAGING
from ebmkit.errors import PluginError
from ebmkit.registry.discovery import Component
from ebmkit.registry.kinds import KINDS

__all__ = ["read_parts"]

Place = TypeVar("Place")


def read_parts(reader: Reader, found: Mapping[Place, Found]) -> dict[Place, Part]:
    """The parts of these tables, without those whose kind is unclear.

    Raises:
        PluginError: a part has a parameter of a type that no run file can hold.
    """
    parts = {place: _read_part(reader, each) for place, each in found.items()}
    return {place: part for place, part in parts.items() if part is not None}


def _read_part(reader: Reader, found: Found) -> Part | None:
    """The values of a table, and of those inside it.

    Of an unknown component the keys that every table of its kind shares are checked, and there is no part.
    """
    component = found.component
    learning, nested = read_parts(reader, found.learning), read_parts(reader, found.nested)
    averaging = _read_averaging(reader, (*found.key, AVERAGING)) if AVERAGING in found.inside else None
    if component is None:
        reader.values(found.key, found.shared, owner=header(found.key), ignore=reader.table(found.key) or ())
        return None
    values = _read_values(reader, found, component)
    return Part(
        found.use,
        component,
        _those(values, component.signature.parameters),
        _those(values, found.shared),
        nested,
        learning,
        averaging,
    )


def _read_values(reader: Reader, found: Found, component: Component) -> dict[str, Any]:
    _refuse_unsupported(component)
    return reader.values(
        found.key,
        found.parameters(),
        owner=owner_of(component),
        ignore=["use", *found.slots, *found.inside],
        more=f"ebmkit plugins show {component.kind}/{component.name}",
        former=KINDS[component.kind].renamed,
    )


def _read_averaging(reader: Reader, key: Key) -> AveragingTable | None:
    """How the weights of a part are averaged; None where its table does not say so."""
    before = len(reader.problems)
    if reader.table(key) is None:
        return None
    values = reader.values(key, signature_of(AveragingTable).parameters, owner=header(key))
    return AveragingTable(**values) if len(reader.problems) == before else AveragingTable()


def _those(values: Mapping[str, Any], parameters: Iterable[Parameter]) -> dict[str, Any]:
    return {each.name: values[each.name] for each in parameters if each.name in values}


def _refuse_unsupported(component: Component) -> None:
    for each in component.signature.parameters:
        if not is_supported(each.hint):
            wrong = f"its parameter {each.name!r} has the type {describe(each.hint)}, {UNSUPPORTED}"
            raise PluginError(f"{component.owner} cannot be used: {wrong}")
