"""What a run file says beyond the defaults of its parts, and where several run files differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from ebmkit.config import (
    REQUIRED,
    EvaluationTable,
    GuardTable,
    Key,
    RunTable,
    as_toml,
    read_document,
    signature_of,
)
from ebmkit.config.plan import Part, key_of, make_plan
from ebmkit.errors import EbmkitError
from ebmkit.registry.discovery import Registry, imported
from ebmkit.registry.kinds import KINDS
from ebmkit.storage.folder import RunFolder

__all__ = ["Setting", "chosen", "defaults_of", "differing"]

Setting = tuple[str, str, str]
"""A key, its value and its default, as a run file writes them."""


def chosen(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> Sequence[Setting]:
    """The keys whose values are not the defaults.

    Args:
        config: a resolved run file.
        defaults: of its keys by ``table.key``; a key without one counts as chosen.
    """
    return [
        (key, as_toml(value), as_toml(defaults[key]) if key in defaults else "")
        for key, value in _keys(config)
        if key not in defaults or defaults[key] != value
    ]


def defaults_of(folder: RunFolder) -> Mapping[str, Any]:
    """The default of each key of a run's tables, as far as its parts are installed."""
    try:
        plan = make_plan(read_document(folder.config, saved=True), Registry.discover(), data=False)
    except EbmkitError:  # a page is no place to refuse a run
        return {}
    own = {"run": RunTable, "guard": GuardTable, "evaluation": EvaluationTable}
    found = {
        f"{name}.{each.name}": each.default for name, table in own.items() for each in attrs.fields(table)
    }
    for name, part in plan.parts.items():
        found |= _defaults(key_of(name), part)
    return {key: _plain(value) for key, value in found.items() if value is not REQUIRED}


def _defaults(key: Key, part: Part) -> Mapping[str, Any]:
    """Of a part's table, and of those inside it."""
    shared = KINDS[part.component.kind].shared
    parameters = [*part.component.signature.parameters]
    parameters += signature_of(imported(shared)).parameters if shared is not None else ()
    found = {".".join((*key, each.name)): each.default for each in parameters}
    for place, inner in (*part.nested.items(), *(((name,), each) for name, each in part.learning.items())):
        found |= _defaults((*key, *place), inner)
    return found


def _plain(value: Any) -> Any:
    """As TOML gives it back."""
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def differing(configs: Sequence[Mapping[str, Any]]) -> Sequence[tuple[str, Sequence[str]]]:
    """Each key that not all of several run files give the same value, with the value of each."""
    flat = [dict(_keys(config)) for config in configs]
    keys = dict.fromkeys(key for each in flat for key in each if key != "run.output")
    rows = [(key, [as_toml(each[key]) if key in each else "" for each in flat]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _keys(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _keys(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
