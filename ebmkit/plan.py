"""From a run file to a plan: which parts, with which values. Everything is checked, nothing is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ebmkit.config import (
    ChainKeys,
    ConfigProblemsError,
    DataKeys,
    Document,
    GuardTable,
    Key,
    Reader,
    RunTable,
    Signature,
    WeightKeys,
    did_you_mean,
    signature_of,
)
from ebmkit.errors import PluginError
from ebmkit.optimizers import OPTIMIZERS, Adam, OptimizerSettings
from ebmkit.registry import Component, Registry, UnknownComponentError

__all__ = ["INJECTED", "NESTED", "TABLES", "Part", "Plan", "make_plan"]

TABLES: Mapping[str, str] = {
    "data": "source",
    "energy": "energy",
    "generator": "generator",
    "revision": "sampler",
    "inference": "sampler",
    "schedule": "scheduler",
}
"""The tables that name a part, and the kind of part each names."""

INJECTED = ("shape", "examples", "trained")
"""What comes from the data, and the way to energies that other runs trained; no table names these."""

NESTED = ("part", "parts")
"""Slots for parts of the same kind, in tables of their own: ``[energy.part]``, ``[energy.parts.NAME]``."""

_SHARED: Mapping[str, type] = {
    "data": DataKeys,
    "revision": ChainKeys,
    "inference": ChainKeys,
    "parts": WeightKeys,
}
_LEARNERS = ("energy", "generator")


@attrs.frozen
class Part:
    """One table of the plan: the component, its keywords, and the keys that belong to ebmkit.

    ``use`` names the component as the run file does: a qualified name stays qualified in the resolved file.
    ``nested`` holds the parts that this one is made of, by their place under its table: ``("part",)`` or
    ``("parts", NAME)``.
    """

    use: str
    component: Component
    values: Mapping[str, Any]
    shared: Mapping[str, Any] = attrs.field(factory=dict)
    optimizer: OptimizerSettings | None = None
    nested: Mapping[Key, Part] = attrs.field(factory=dict)

    def walk(self, key: Key) -> Iterator[tuple[Key, Part]]:
        """This part at ``key`` and every one inside it, each with its own key."""
        yield key, self
        for place, part in self.nested.items():
            yield from part.walk((*key, *place))

    def table(self) -> dict[str, Any]:
        """The part as a table of the resolved run file."""
        table: dict[str, Any] = {"use": self.use, **self.shared, **self.values}
        if self.optimizer is not None:
            use = next(use for use, cls in OPTIMIZERS.items() if type(self.optimizer) is cls)
            table["optimizer"] = {"use": use, **attrs.asdict(self.optimizer)}
        for (slot, *name), part in self.nested.items():
            if name:
                table.setdefault(slot, {})[name[0]] = part.table()
            else:
                table[slot] = part.table()
        return table


@attrs.frozen
class Plan:
    """A run file, checked: every value typed, every default filled in.

    Attributes:
        document: what it was made from; errors found later are placed in it.
        run: the ``[run]`` table.
        guard: the ``[guard]`` table.
        parts: one for each other table, by the table's name.
    """

    document: Document
    run: RunTable
    guard: GuardTable
    parts: Mapping[str, Part]

    def tables(self) -> dict[str, dict[str, Any]]:
        """The resolved run file: every key with the value it has in this run."""
        tables = {"run": attrs.asdict(self.run), "guard": attrs.asdict(self.guard)}
        return {**tables, **{name: part.table() for name, part in self.parts.items()}}

    def components(self) -> Iterator[Component]:
        """Every component of the run, those inside others too."""
        for name, part in self.parts.items():
            yield from (each.component for _, each in part.walk((name,)))

    def eased(self, rollbacks: int) -> Plan:
        """This plan after so many rollbacks: steps and rates smaller by the factors of ``[guard]``."""
        step, rate = self.guard.step_factor**rollbacks, self.guard.rate_factor**rollbacks
        return attrs.evolve(
            self, parts={name: _eased(name, part, step, rate) for name, part in self.parts.items()}
        )


def _eased(name: str, part: Part, step: float, rate: float) -> Part:
    values, optimizer = part.values, part.optimizer
    if name == "revision" and step != 1:
        values = {**values, "step_size": values["step_size"] * step}
    if optimizer is not None:
        optimizer = attrs.evolve(optimizer, lr=optimizer.lr * rate)
    return attrs.evolve(part, values=values, optimizer=optimizer)


def make_plan(document: Document, registry: Registry) -> Plan:
    """Check a run file against the installed parts.

    Raises:
        ConfigProblemsError: everything that is wrong, at once; its exit code is a plugin error's when
            unknown components are all there is.
    """
    reader = Reader(document)
    for name in document.data.keys() - TABLES.keys() - {"run", "guard"}:
        near = did_you_mean(name, [*TABLES, "run", "guard"])
        reader.report("E102", f"unknown table [{name}]", (name,), label=near)
    run = RunTable(**reader.values(("run",), signature_of(RunTable).parameters, owner="[run]"))
    guard = GuardTable(**reader.values(("guard",), signature_of(GuardTable).parameters, owner="[guard]"))
    parts = {name: part for name in TABLES if (part := _read_table(reader, registry, name)) is not None}
    _check_wiring(reader, parts)
    _check_easing(reader, guard, parts)
    try:
        reader.finish()
    except ConfigProblemsError as problems:
        if all(problem.code == "E107" for problem in problems.problems):
            problems.exit_code = PluginError.exit_code
        raise
    return Plan(document, run, guard, parts)


def _read_table(reader: Reader, registry: Registry, name: str) -> Part | None:
    """One table as a part; None where it is missing or its component is unknown."""
    if reader.table((name,)) is None:
        if name in ("data", "schedule") and name not in reader.document.data:
            reader.report("E106", f"missing table [{name}]", (), helps=[f'add [{name}] with use = "…"'])
        return None
    if name not in _LEARNERS:
        return _read_part(reader, registry, (name,), shared=_SHARED.get(name))
    part = _read_part(reader, registry, (name,), ignore=("optimizer",))
    return part and attrs.evolve(part, optimizer=_read_optimizer(reader, name))


def _read_part(
    reader: Reader, registry: Registry, key: Key, *, shared: type | None = None, ignore: tuple[str, ...] = ()
) -> Part | None:
    """The table at ``key`` as a part of the kind that the outermost table names."""
    table = reader.table(key)
    if table is None or (component := _find(reader, registry, key, table.get("use"))) is None:
        return None
    signature = signature_of(component.factory)
    slots = [slot.name for slot in signature.parts if slot.name in NESTED]
    common = signature_of(shared).parameters if shared is not None else ()
    values = reader.values(
        key,
        (*common, *signature.parameters),
        owner=_owner(key, component),
        ignore=["use", *slots, *ignore],
        more=f"ebmkit plugins show {component.kind}/{component.name}",
    )
    return Part(
        table["use"],
        component,
        {each.name: values[each.name] for each in signature.parameters if each.name in values},
        {each.name: values[each.name] for each in common},
        nested={
            place: part
            for slot in slots
            for place in _places(reader, key, slot, component)
            if (part := _read_part(reader, registry, (*key, *place), shared=_SHARED.get(slot))) is not None
        },
    )


def _owner(key: Key, component: Component) -> str:
    return f"{TABLES[key[0]]} {component.name!r}"


def _places(reader: Reader, key: Key, slot: str, component: Component) -> list[Key]:
    """Where under ``key`` the tables for a slot stand: the slot itself, or each table in it."""
    inner = (*key, slot)
    table = reader.table(inner)
    if table:
        return [(slot,)] if slot == "part" else [(slot, name) for name in table]
    if table is not None or slot not in (reader.table(key) or {}):
        wanted = f"[{'.'.join(inner)}]" if slot == "part" else f"[{'.'.join(inner)}.NAME]"
        message = f"{_owner(key, component)} is made of other parts: add a table {wanted}"
        reader.report("E106", message, (*key, "use"), value=True, helps=[f'{wanted} with use = "…"'])
    return []


def _find(reader: Reader, registry: Registry, key: Key, use: object) -> Component | None:
    kind = TABLES[key[0]]
    if not isinstance(use, str):
        names = ", ".join(sorted({each.name for each in registry.components(kind)}))
        missing = use is None
        table = ".".join(key)
        problem = f"missing key 'use' in [{table}]" if missing else f"'use' must be a string, got {use!r}"
        place = key if missing else (*key, "use")
        reader.report("E106" if missing else "E104", problem, place, helps=[f"installed: {names}"])
        return None
    try:
        return registry.find(kind, use)
    except UnknownComponentError as error:
        label = f"did you mean {error.suggestion!r}?" if error.suggestion else ""
        reader.report("E107", error.message, (*key, "use"), value=True, label=label)
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
    for key, part in (each for name, top in parts.items() for each in top.walk((name,))):
        owner = _owner(key, part.component)
        for slot in signature_of(part.component.factory).parts:
            if slot.name in TABLES or slot.name in INJECTED or not slot.required:
                wanted.setdefault(slot.name, owner)
            if slot.required and slot.name in TABLES and slot.name not in reader.document.data:
                message = f"{owner} needs the part {slot.name!r}: add a table [{slot.name}]"
                reader.report("E106", message, (*key, "use"), value=True)
    schedule = parts.get("schedule")
    for name in parts.keys() - wanted.keys() - {"data", "schedule"}:
        if schedule is not None:
            message = (
                f"scheduler {schedule.component.name!r} takes no part {name!r}: remove the table [{name}]"
            )
            reader.report("E108", message, (name,), helps=[f"it takes: {', '.join(_slots(schedule))}"])


def _check_easing(reader: Reader, guard: GuardTable, parts: Mapping[str, Part]) -> None:
    """A step can be made smaller only where there is one."""
    if guard.step_factor != 1 and "step_size" not in (
        parts["revision"].values if "revision" in parts else {}
    ):
        message = "'step_factor' needs a [revision] whose sampler has a step_size"
        reader.report("E108", message, ("guard", "step_factor"))


def _slots(part: Part) -> list[str]:
    signature: Signature = signature_of(part.component.factory)
    return [slot.name for slot in signature.parts if slot.name in TABLES]
