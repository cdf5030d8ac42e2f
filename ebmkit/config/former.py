"""Keys that had other names in earlier releases, in the run files of run folders and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ebmkit.config.document import Document, Key
from ebmkit.config.slots import LEARNING
from ebmkit.registry.kinds import KINDS

__all__ = ["present_names", "with_present_names"]


def with_present_names(document: Document) -> Document:
    """The document with every former key under its present name, each place remembered."""
    for key, name in list(_former(document.data, ())):
        document = document.renamed(key, name)
    return document


def present_names(tables: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """Tables of a resolved run file with every former key under its present name.

    Examples:
        >>> present_names({"energy": {"use": "mlp", "optimizer": {"use": "adam", "gradient_cap": 2.0}}})
        {'energy': {'use': 'mlp', 'optimizer': {'use': 'adam', 'gradient_clip': 2.0}}}
    """
    return with_present_names(Document("", "", dict(tables), {}, {})).data


def _former(tables: Mapping[str, Any], above: Key) -> Iterator[tuple[Key, str]]:
    """Where a former key stands, and its present name; only the tables of ``LEARNING`` have any yet."""
    for name, table in tables.items():
        if not isinstance(table, dict):
            continue
        key = (*above, name)
        if above and name in LEARNING:
            renamed = KINDS[LEARNING[name].kind].renamed
            yield from (((*key, each), renamed[each]) for each in table if each in renamed)
        else:
            yield from _former(table, key)
