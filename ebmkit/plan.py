"""From a run file to a plan: which parts, with which values. Everything is checked, nothing is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ebmkit.config import (
    ChainKeys,
    ConfigProblemsError,
    DataKeys,
    Document,
    Reader,
    RunTable,
    Signature,
    did_you_mean,
    signature_of,
)
from ebmkit.errors import PluginError
from ebmkit.optimizers import OPTIMIZERS, Adam, OptimizerSettings
from ebmkit.registry import Component, Registry, UnknownComponentError

__all__ = ["INJECTED", "TABLES", "Part", "Plan", "make_plan"]

TABLES: Mapping[str, str] = {
    "data": "source",
    "energy": "energy",
    "generator": "generator",
    "revision": "sampler",
    "inference": "sampler",
    "schedule": "scheduler",
}
"""The tables that name a part, and the kind of part each names."""

INJECTED = ("shape", "examples")
"""Parts that come from the data, not from a table."""

_SHARED: Mapping[str, type] = {"data": DataKeys, "revision": ChainKeys, "inference": ChainKeys}
_LEARNERS = ("energy", "generator")


@attrs.frozen
class Part:
    """One table of the plan: the component, its keywords, and the keys that belong to ebmkit."""

    component: Component
    values: Mapping[str, Any]
    shared: Mapping[str, Any] = attrs.field(factory=dict)
    optimizer: OptimizerSettings | None = None


@attrs.frozen
class Plan:
    """A run file, checked: every value typed, every default filled in.

    Attributes:
        document: what it was made from; errors found later are placed in it.
        run: the ``[run]`` table.
        parts: one for each other table, by the table's name.
    """

    document: Document
    run: RunTable
    parts: Mapping[str, Part]

    def tables(self) -> dict[str, dict[str, Any]]:
        """The resolved run file: every key with the value it has in this run."""
        tables = {"run": attrs.asdict(self.run)}
        for name, part in self.parts.items():
            tables[name] = {"use": part.component.name, **part.shared, **part.values}
            if part.optimizer is not None:
                use = next(use for use, cls in OPTIMIZERS.items() if type(part.optimizer) is cls)
                tables[name]["optimizer"] = {"use": use, **attrs.asdict(part.optimizer)}
        return tables


def make_plan(document: Document, registry: Registry) -> Plan:
    """Check a run file against the installed parts.

    Raises:
        ConfigProblemsError: everything that is wrong, at once; its exit code is a plugin error's when
            unknown components are all there is.
    """
    reader = Reader(document)
    for name in document.data.keys() - TABLES.keys() - {"run"}:
        reader.report("E102", f"unknown table [{name}]", (name,), label=did_you_mean(name, [*TABLES, "run"]))
    run = RunTable(**reader.values(("run",), signature_of(RunTable).parameters, owner="[run]"))
    parts = {name: part for name in TABLES if (part := _read_part(reader, registry, name)) is not None}
    _check_wiring(reader, parts)
    try:
        reader.finish()
    except ConfigProblemsError as problems:
        if all(problem.code == "E107" for problem in problems.problems):
            problems.exit_code = PluginError.exit_code
        raise
    return Plan(document, run, parts)


def _read_part(reader: Reader, registry: Registry, name: str) -> Part | None:
    """One table as a part; None where it is missing or its component is unknown."""
    table = reader.table((name,))
    if table is None:
        if name in ("data", "schedule") and name not in reader.document.data:
            reader.report("E106", f"missing table [{name}]", (), helps=[f'add [{name}] with use = "…"'])
        return None
    component = _find(reader, registry, name, table.get("use"))
    if component is None:
        return None
    kind = TABLES[name]
    owner = f"{kind} {component.name!r}"
    own = signature_of(component.factory).parameters
    shared = signature_of(_SHARED[name]).parameters if name in _SHARED else ()
    ignore = ["use", "optimizer"] if name in _LEARNERS else ["use"]
    more = f"ebmkit plugins show {kind}/{component.name}"
    values = reader.values((name,), (*shared, *own), owner=owner, ignore=ignore, more=more)
    return Part(
        component,
        {each.name: values[each.name] for each in own if each.name in values},
        {each.name: values[each.name] for each in shared},
        _read_optimizer(reader, name) if name in _LEARNERS else None,
    )


def _find(reader: Reader, registry: Registry, name: str, use: object) -> Component | None:
    if not isinstance(use, str):
        names = ", ".join(sorted({each.name for each in registry.components(TABLES[name])}))
        problem = f"missing key 'use' in [{name}]" if use is None else f"'use' must be a string, got {use!r}"
        key = (name,) if use is None else (name, "use")
        reader.report("E106" if use is None else "E104", problem, key, helps=[f"installed: {names}"])
        return None
    try:
        return registry.find(TABLES[name], use)
    except UnknownComponentError as error:
        label = f"did you mean {error.suggestion!r}?" if error.suggestion else ""
        reader.report("E107", error.message, (name, "use"), value=True, label=label)
        return None


def _read_optimizer(reader: Reader, name: str) -> OptimizerSettings:
    key = (name, "optimizer")
    table = reader.table(key) or {}
    use = table.get("use", "adam")
    if use not in OPTIMIZERS:
        message = f"no optimizer named {use!r}; there are: {', '.join(OPTIMIZERS)}"
        label = did_you_mean(str(use), OPTIMIZERS)
        reader.report("E104", message, (*key, "use"), value=True, label=label)
        return Adam()
    factory = OPTIMIZERS[use]
    before = len(reader.problems)
    values = reader.values(key, signature_of(factory).parameters, owner=f"optimizer {use!r}", ignore=["use"])
    return factory(**values) if len(reader.problems) == before else Adam()


def _check_wiring(reader: Reader, parts: Mapping[str, Part]) -> None:
    """Every part the components ask for has a table, and every table has somebody who asks."""
    wanted: dict[str, str] = {}
    for name, part in parts.items():
        owner = f"{TABLES[name]} {part.component.name!r}"
        for slot in signature_of(part.component.factory).parts:
            if slot.name in TABLES or slot.name in INJECTED or not slot.required:
                wanted.setdefault(slot.name, owner)
            if slot.required and slot.name in TABLES and slot.name not in reader.document.data:
                message = f"{owner} needs the part {slot.name!r}: add a table [{slot.name}]"
                reader.report("E106", message, (name, "use"), value=True)
    schedule = parts.get("schedule")
    for name in parts.keys() - wanted.keys() - {"data", "schedule"}:
        if schedule is not None:
            message = (
                f"scheduler {schedule.component.name!r} takes no part {name!r}: remove the table [{name}]"
            )
            reader.report("E108", message, (name,), helps=[f"it takes: {', '.join(_slots(schedule))}"])


def _slots(part: Part) -> list[str]:
    signature: Signature = signature_of(part.component.factory)
    return [slot.name for slot in signature.parts if slot.name in TABLES]
