"""From a run file to a plan: which parts, with which values. Everything is checked, nothing is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, get_args, get_origin

import attrs

from ebmkit.brief import brief
from ebmkit.config import (
    UNSUPPORTED,
    ChainKeys,
    ConfigProblemsError,
    DataKeys,
    Document,
    GuardTable,
    Key,
    Parameter,
    Reader,
    RunTable,
    Signature,
    WeightKeys,
    describe,
    header,
    is_supported,
    signature_of,
)
from ebmkit.errors import PluginError
from ebmkit.optimizers import OPTIMIZERS, Adam, OptimizerSettings
from ebmkit.quoting import quoted
from ebmkit.registry import Component, Registry, UnknownComponentError
from ebmkit.spelling import edits, nearest

__all__ = ["INJECTED", "NESTED", "TABLES", "Part", "Plan", "keys_of", "make_plan"]

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
_OWN: Mapping[str, type] = {"run": RunTable, "guard": GuardTable}
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

    def __repr__(self) -> str:
        return brief(self)

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

    def __repr__(self) -> str:
        return brief(self)

    def tables(self) -> dict[str, dict[str, Any]]:
        """The resolved run file: every key with the value it has in this run."""
        tables = {"run": attrs.asdict(self.run), "guard": attrs.asdict(self.guard)}
        return {**tables, **{name: part.table() for name, part in self.parts.items()}}

    def components(self) -> Iterator[Component]:
        """Every component of the run, those inside others too."""
        for name, part in self.parts.items():
            yield from (each.component for _, each in part.walk((name,)))

    def eased(self, step: float, rate: float) -> Plan:
        """This plan with the revision's step and the learning rates multiplied by these factors."""
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
    reader = Reader(document, paths=data)
    _spell_tables(reader)
    found = _search_all(reader, registry)
    reader.elsewhere = _homes(found.values())
    _refuse_keys_outside(reader)
    run = RunTable(**_read_own(reader, "run"))
    guard = GuardTable(**_read_own(reader, "guard"))
    parts = _read_parts(reader, found)
    _check_wiring(reader, found, parts)
    _check_easing(reader, guard, found, parts)
    try:
        reader.finish()
    except ConfigProblemsError as problems:
        if all(problem.code == "E107" for problem in problems.problems):
            problems.exit_code = PluginError.exit_code
        raise
    return Plan(document, run, guard, parts)


def _read_own(reader: Reader, name: str) -> dict[str, Any]:
    """The values of a table whose keys are all ebmkit's."""
    return reader.values((name,), signature_of(_OWN[name]).parameters, owner=f"[{name}]")


def keys_of(data: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """What a run file with these tables may set: ``table.key`` to its type, ``table.use`` to a kind of part.

    Args:
        data: the tables; what is wrong in them is left out.
        registry: the parts there are.
    """
    reader = Reader(Document("", "", data, {}, {}))
    found = _search_all(reader, registry)
    keys: dict[str, Any] = {f"{name}.use": kind for name, kind in TABLES.items() if name in data}
    for table, parameters in _tables_of(found.values()).items():
        keys |= {f"{table}.{each.name}": _bare(each.hint) for each in parameters}
    return dict(sorted(keys.items()))


def _bare(hint: Any) -> Any:
    """A type without its range."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _spell_tables(reader: Reader) -> None:
    """Report every misspelt table, and read it as the right one; report those that every run needs."""
    names = [*TABLES, *_OWN]
    data = reader.document.data
    for name in [each for each, table in data.items() if each not in names and isinstance(table, dict)]:
        near = nearest(name, names, taken=data)
        label = f"did you mean {near!r}?" if near else ""
        helps = [] if near else [f"there are: {', '.join(header((each,)) for each in names)}"]
        message = f"unknown table {header((name,))}"
        reader.report("E102", message, (name,), label=label, helps=helps, suggestion=near)
        if near is not None and not ("use" in data[name] and "use" in (reader.table((near,)) or {})):
            reader.rename((name,), near)
    for name in ("data", "schedule"):
        if name not in reader.document.data:
            reader.report("E106", f"missing table [{name}]", (), helps=[f'add [{name}] with use = "…"'])


def _refuse_keys_outside(reader: Reader) -> None:
    """A value in front of the first table header belongs to nobody."""
    for name, value in reader.document.data.items():
        if name not in (*TABLES, *_OWN) and not isinstance(value, dict):
            reader.unknown_key((name,), {}, owner="the file itself, which has only tables")


def _use(reader: Reader, key: Key) -> Any:
    """What ``use`` says in the table at ``key``, None without it; a misspelt one is reported, and read."""
    table = reader.table(key) or {}
    wrong = next((name for name in table if edits(name, "use") <= 1), None)
    if "use" not in table and wrong is not None:
        reader.unknown_key((*key, wrong), {}, owner=header(key), others=["use"])
        reader.rename((*key, wrong), "use")
        return table[wrong]
    return table.get("use")


@attrs.frozen
class _Found:
    """A table that names a component, and those inside it.

    Attributes:
        key: where it stands.
        use: what names its component.
        component: what it names, or was probably meant to name; None where nobody can tell: it is reported,
            and the keys that all tables of this kind share are read.
        slots: the keys under which tables of parts stand in it.
        nested: by their place under this table, as in ``Part``.
    """

    key: Key
    use: str
    component: Component | None
    slots: tuple[str, ...]
    nested: Mapping[Key, _Found]

    def walk(self) -> Iterator[_Found]:
        """This table and every one inside it."""
        yield self
        for each in self.nested.values():
            yield from each.walk()

    def common(self) -> tuple[Parameter, ...]:
        """The keys of the table that ebmkit reads, beside ``use`` and ``optimizer``."""
        shared = _SHARED.get(self.key[0] if not self.key[1:] else self.key[-2])
        return signature_of(shared).parameters if shared is not None else ()

    def parameters(self) -> tuple[Parameter, ...]:
        """Every key of the table but ``use`` and ``optimizer``, as far as they are known."""
        return (*self.common(), *(self.component.signature.parameters if self.component is not None else ()))


def _search_all(reader: Reader, registry: Registry) -> dict[str, _Found]:
    found = {name: _search(reader, registry, (name,)) for name in TABLES}
    return {name: each for name, each in found.items() if each is not None}


def _search(reader: Reader, registry: Registry, key: Key) -> _Found | None:
    """The table at ``key``; None where there is none or it is no table."""
    if reader.table(key) is None:
        return None
    use = _use(reader, key)
    component = _find(reader, registry, key, use)
    if _learns(key):
        _spell_slot(reader, key, "optimizer", component)
    slots = _slots_for(reader, key, component)
    nested = {
        place: each
        for slot in slots
        for place in _places(reader, key, slot, component)
        if (each := _search(reader, registry, (*key, *place))) is not None
    }
    return _Found(key, str(use), component, slots, nested)


def _learns(key: Key) -> bool:
    """Whether a table has an ``optimizer``."""
    return key[0] in _LEARNERS and not key[1:]


def _slots_for(reader: Reader, key: Key, component: Component | None) -> tuple[str, ...]:
    """The keys under which tables of parts stand in a table; of an unknown component those that are there."""
    if component is not None:
        return tuple(slot.name for slot in component.signature.parts if slot.name in NESTED)
    for slot in NESTED:
        _spell_slot(reader, key, slot, None)
    table = reader.table(key) or {}
    return tuple(slot for slot in NESTED if isinstance(table.get(slot), dict))


def _find(reader: Reader, registry: Registry, key: Key, use: Any) -> Component | None:
    """The component that ``use`` of the table at ``key`` names.

    A misspelt name is reported and read as the right one; None, and a problem, where it names none.
    """
    kind, place = TABLES[key[0]], (*key, "use")
    if not isinstance(use, str):
        helps = [f"installed: {', '.join(sorted({each.name for each in registry.components(kind)}))}"]
        if use is None:
            reader.report("E106", f"missing key 'use' in {header(key)}", key, helps=helps)
        else:
            message = f"'use' must be a string, got {quoted(use)}"
            reader.report("E104", message, place, value=True, helps=helps)
        return None
    try:
        return registry.find(kind, use)
    except UnknownComponentError as error:
        label = f"did you mean {error.suggestion!r}?" if error.suggestion else ""
        reader.report("E107", error.message, place, value=True, label=label, suggestion=error.suggestion)
        with suppress(UnknownComponentError):  # several may offer it
            return registry.find(kind, error.suggestion) if error.suggestion else None
        return None


def _places(reader: Reader, key: Key, slot: str, component: Component | None) -> list[Key]:
    """Where under ``key`` the tables for a slot stand: the slot itself, or each table in it."""
    meant = component is not None and _spell_slot(reader, key, slot, component)
    inner = (*key, slot)
    table = reader.table(inner)
    if table:
        return [(slot,)] if slot == "part" else [(slot, name) for name in table]
    if component is not None and not meant and (table is not None or slot not in (reader.table(key) or {})):
        wanted = header(inner if slot == "part" else (*inner, "NAME"))
        message = f"{_owner(component)} is made of other parts: add a table {wanted}"
        reader.report("E106", message, (*key, "use"), value=True, helps=[f'{wanted} with use = "…"'])
    return []


def _spell_slot(reader: Reader, key: Key, slot: str, component: Component | None) -> bool:
    """Whether another key of the table is a misspelt slot.

    It is reported and read if it holds what the slot holds; if not, as one part where several are wanted,
    it is an unknown key like others.
    """
    table = reader.table(key) or {}
    known = [slot, *(each.name for each in component.signature.parameters)] if component else [slot]
    wrong = [name for name in table if name not in known and nearest(name, [slot])]
    for name in wrong:
        inside = table[name].values() if isinstance(table[name], dict) else ()
        if inside and all(isinstance(each, dict) for each in inside) == (slot == "parts"):
            owner = _owner(component) if component else header(key)
            reader.unknown_key((*key, name), {}, owner=owner, others=[slot])
            reader.rename((*key, name), slot)
    return bool(wrong)


def _homes(found: Iterable[_Found]) -> dict[str, tuple[str, ...]]:
    """For each key, the tables in which it would be right."""
    tables = list(found)
    homes: dict[str, list[str]] = {}
    for name in sorted(each.key[0] for each in tables if each.key[0] in _LEARNERS):
        homes.setdefault("optimizer", []).append(name)
    for name, parameters in sorted(_tables_of(tables).items()):
        for each in parameters:
            homes.setdefault(each.name, []).append(name)
    return {key: tuple(names) for key, names in homes.items()}


def _tables_of(found: Iterable[_Found]) -> dict[str, tuple[Parameter, ...]]:
    """Each table of a run file, ebmkit's own and the optimizers' among them, with its parameters."""
    tables = {name: signature_of(table).parameters for name, table in _OWN.items()}
    for top in found:
        tables |= {".".join(each.key): each.parameters() for each in top.walk()}
        if top.key[0] in _LEARNERS:
            tables[f"{top.key[0]}.optimizer"] = signature_of(Adam).parameters
    return tables


def _read_parts(reader: Reader, found: Mapping[Any, _Found]) -> dict[Any, Part]:
    """The parts of these tables, without those of which nobody can tell what they are."""
    parts = {place: _read_part(reader, each) for place, each in found.items()}
    return {place: part for place, part in parts.items() if part is not None}


def _read_part(reader: Reader, found: _Found) -> Part | None:
    """The values of a table, and of those inside it.

    Of an unknown component the keys that every table of its kind shares are checked, and there is no part.
    """
    component, learns = found.component, _learns(found.key)
    optimizer = _read_optimizer(reader, (*found.key, "optimizer")) if learns else None
    nested = _read_parts(reader, found.nested)
    if component is None:
        reader.values(
            found.key, found.common(), owner=header(found.key), ignore=reader.table(found.key) or ()
        )
        return None
    signature = component.signature
    for each in signature.parameters:
        if not is_supported(each.hint):
            wrong = f"its parameter {each.name!r} has the type {describe(each.hint)}, {UNSUPPORTED}"
            raise PluginError(f"{component.owner} cannot be used: {wrong}")
    values = reader.values(
        found.key,
        found.parameters(),
        owner=_owner(component),
        ignore=["use", *found.slots, *(["optimizer"] if learns else [])],
        more=f"ebmkit plugins show {component.kind}/{component.name}",
    )
    return Part(
        found.use,
        component,
        {each.name: values[each.name] for each in signature.parameters if each.name in values},
        {each.name: values[each.name] for each in found.common()},
        optimizer,
        nested,
    )


def _owner(component: Component) -> str:
    return f"{component.kind} {component.name!r}"


def _read_optimizer(reader: Reader, key: Key) -> OptimizerSettings:
    before = len(reader.problems)
    use = _use(reader, key)
    name = "adam" if use is None else use
    if name not in list(OPTIMIZERS):  # it may be a table, which cannot be hashed
        message = f"no optimizer named {quoted(name)}; there are: {', '.join(OPTIMIZERS)}"
        near = nearest(str(name), OPTIMIZERS)
        label = f"did you mean {near!r}?" if near else ""
        reader.report("E104", message, (*key, "use"), value=True, label=label, suggestion=near)
        name = near
    if name is None:  # the keys that all optimizers share
        shared = signature_of(OptimizerSettings).parameters
        reader.values(key, shared, owner=header(key), ignore=reader.table(key) or ())
        return Adam()
    factory = OPTIMIZERS[name]
    values = reader.values(key, signature_of(factory).parameters, owner=f"optimizer {name!r}", ignore=["use"])
    return factory(**values) if len(reader.problems) == before else Adam()


def _check_wiring(reader: Reader, found: Mapping[str, _Found], parts: Mapping[str, Part]) -> None:
    """Every part the components ask for has a table, and every table has somebody who asks."""
    wanted: dict[str, str] = {}
    for key, part in (each for name, top in parts.items() for each in top.walk((name,))):
        owner = _owner(part.component)
        for slot in part.component.signature.parts:
            if slot.name in TABLES or slot.name in INJECTED or not slot.required:
                wanted.setdefault(slot.name, owner)
            if slot.required and slot.name in TABLES and slot.name not in reader.document.data:
                message = f"{owner} needs the part {slot.name!r}: add a table [{slot.name}]"
                reader.report("E106", message, (*key, "use"), value=True)
    schedule = parts.get("schedule")
    for name in found.keys() - wanted.keys() - {"data", "schedule"}:
        if schedule is not None:
            message = (
                f"scheduler {schedule.component.name!r} takes no part {name!r}: remove the table [{name}]"
            )
            reader.report("E108", message, (name,), helps=[f"it takes: {', '.join(_slots(schedule))}"])


def _check_easing(
    reader: Reader, guard: GuardTable, found: Mapping[str, _Found], parts: Mapping[str, Part]
) -> None:
    """A step can be made smaller only where there is one; of an unknown sampler nobody can tell."""
    if guard.step_factor == 1 or ("revision" in found and "revision" not in parts):
        return
    if "revision" not in parts or "step_size" not in parts["revision"].values:
        message = "'step_factor' needs a [revision] whose sampler has a step_size"
        reader.report("E108", message, ("guard", "step_factor"))


def _slots(part: Part) -> list[str]:
    signature: Signature = part.component.signature
    return [slot.name for slot in signature.parts if slot.name in TABLES]
