"""Which keys the tables of a run file may hold: for completion, and to say where a misplaced one belongs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from ebmkit.config import AveragingTable, Document, Parameter, Reader, signature_of
from ebmkit.config.search import OWN_TABLES, Found, Search
from ebmkit.config.slots import AVERAGING, LEARNING
from ebmkit.registry.discovery import Registry

__all__ = ["homes_of", "keys_of"]


def keys_of(data: dict[str, Any], registry: Registry, *, folder: Path | None = None) -> dict[str, Any]:
    """What a run file with these tables may set: ``table.key`` to its type, ``table.use`` to a kind of part.

    Args:
        data: the tables; what is wrong in them is left out.
        registry: the parts there are.
        folder: of the run file, where code of one's own stands beside it.
    """
    if folder is not None:
        registry.folder = folder
    reader = Reader(Document("", "", data, {}, {}))
    search = Search(reader, registry)
    found = search.all()
    keys: dict[str, Any] = {
        f"{'.'.join(place)}.use": slot.kind
        for name, slot in search.slots.items()
        if name in data
        for place in search.places_of(name)
    }
    for each in found.values():
        keys |= {f"{each.name}.{name}.use": LEARNING[name].kind for name in each.learning}
    for table, parameters in _tables_of(found.values()).items():
        keys |= {f"{table}.{each.name}": _bare(each.hint) for each in parameters}
    return dict(sorted(keys.items()))


def _bare(hint: Any) -> Any:
    """A type without its range."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def homes_of(found: Iterable[Found]) -> dict[str, tuple[str, ...]]:
    """For each key, the tables in which it would be right."""
    tables = list(found)
    homes: dict[str, list[str]] = {}
    for name, inner in sorted((each.name, inner) for each in tables for inner in each.inside):
        homes.setdefault(inner, []).append(name)
    for name, parameters in sorted(_tables_of(tables).items()):
        for each in parameters:
            homes.setdefault(each.name, []).append(name)
    return {key: tuple(names) for key, names in homes.items()}


def _tables_of(found: Iterable[Found]) -> dict[str, tuple[Parameter, ...]]:
    """Each table of a run file, ebmkit's own among them, with its parameters."""
    tables = {name: signature_of(table).parameters for name, table in OWN_TABLES.items()}
    for top in found:
        tables |= {each.name: each.parameters() for each in top.walk()}
        if AVERAGING in top.inside:
            tables[f"{top.name}.{AVERAGING}"] = signature_of(AveragingTable).parameters
    return tables
