"""From a run file to a plan: which parts, with which values. Everything is checked, nothing is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ebmkit.config import (
    ConfigProblemsError,
    Document,
    EvaluationTable,
    GuardTable,
    Reader,
    RunTable,
    signature_of,
)
from ebmkit.config.keys import homes_of
from ebmkit.config.parts import Part, Plan, key_of
from ebmkit.config.reading import read_parts
from ebmkit.config.search import OWN_TABLES, Search
from ebmkit.config.wiring import check_easing, check_named, check_wiring
from ebmkit.errors import PluginError
from ebmkit.registry.discovery import Registry

__all__ = ["Part", "Plan", "key_of", "make_plan"]


def make_plan(document: Document, registry: Registry, *, data: bool = True) -> Plan:
    """Check a run file against the installed parts.

    Args:
        document: the run file.
        registry: the parts there are.
        data: whether the data will be opened, so that something must be at their path.

    Raises:
        ConfigProblemsError: everything that is wrong, at once; its exit code is a plugin error's when
            unknown components are all there is.
    """
    registry.folder = Path(document.file).parent
    reader = Reader(document, paths=data)
    search = Search(reader, registry)
    search.spell_tables()
    found = search.all()
    reader.elsewhere = homes_of(found.values())
    search.refuse_keys_outside()
    run = RunTable(**_read_own(reader, "run"))
    guard = GuardTable(**_read_own(reader, "guard"))
    evaluation = EvaluationTable(**_read_own(reader, "evaluation"))
    check_named(reader, registry, evaluation)
    parts = read_parts(reader, found)
    check_wiring(reader, search.slots, found, parts)
    check_easing(reader, guard, found, parts)
    try:
        reader.finish()
    except ConfigProblemsError as problems:
        if all(problem.code == "E107" for problem in problems.problems):
            problems.exit_code = PluginError.exit_code
        raise
    return Plan(document, run, guard, evaluation, parts)


def _read_own(reader: Reader, name: str) -> dict[str, Any]:
    """The values of a table whose keys are all ebmkit's."""
    return reader.values((name,), signature_of(OWN_TABLES[name]).parameters, owner=f"[{name}]")
