"""From a run file to a plan: which parts, with which values. Everything is checked, nothing is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

import attrs

from ebmkit.config import (
    UNSUPPORTED,
    ConfigProblemsError,
    Document,
    GuardTable,
    Key,
    Parameter,
    Reader,
    RunTable,
    Signature,
    describe,
    header,
    is_supported,
    signature_of,
)
from ebmkit.config.optimizers import OPTIMIZERS, Adam, OptimizerSettings
from ebmkit.config.search import OWN_TABLES, Found, Search, owner_of, use_in
from ebmkit.config.slots import INJECTED, Slot, Slots
from ebmkit.errors import PluginError
from ebmkit.messages.brief import brief
from ebmkit.messages.quoting import quoted
from ebmkit.messages.spelling import nearest
from ebmkit.registry.discovery import Component, Registry

__all__ = ["Part", "Plan", "key_of", "keys_of", "make_plan"]


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
        parts: one for each other table, by the table's name, ``grids.16`` where a slot takes several; in the
            order in which they are built.
    """

    document: Document
    run: RunTable
    guard: GuardTable
    parts: Mapping[str, Part]

    def __repr__(self) -> str:
        return brief(self)

    def tables(self) -> dict[str, dict[str, Any]]:
        """The resolved run file: every key with the value it has in this run."""
        tables: dict[str, dict[str, Any]] = {"run": attrs.asdict(self.run), "guard": attrs.asdict(self.guard)}
        for name, part in self.parts.items():
            table, *inside = key_of(name)
            if inside:
                tables.setdefault(table, {})[inside[0]] = part.table()
            else:
                tables[table] = part.table()
        return tables

    def components(self) -> Iterator[Component]:
        """Every component of the run, those inside others too."""
        for name, part in self.parts.items():
            yield from (each.component for _, each in part.walk(key_of(name)))

    def eased(self, step: float, rate: float) -> Plan:
        """This plan with the revision's step and the learning rates multiplied by these factors."""
        return attrs.evolve(
            self, parts={name: _eased(name, part, step, rate) for name, part in self.parts.items()}
        )


def key_of(name: str) -> Key:
    """Where the table of a part stands: ``grids.16`` is the table ``[grids.16]``."""
    return tuple(name.split(".", 1))


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
    search = Search(reader, registry)
    search.spell_tables()
    found = search.all()
    reader.elsewhere = _homes(found.values())
    search.refuse_keys_outside()
    run = RunTable(**_read_own(reader, "run"))
    guard = GuardTable(**_read_own(reader, "guard"))
    parts = _read_parts(reader, found)
    _check_wiring(reader, search.slots, found, parts)
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
    return reader.values((name,), signature_of(OWN_TABLES[name]).parameters, owner=f"[{name}]")


def keys_of(data: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """What a run file with these tables may set: ``table.key`` to its type, ``table.use`` to a kind of part.

    Args:
        data: the tables; what is wrong in them is left out.
        registry: the parts there are.
    """
    reader = Reader(Document("", "", data, {}, {}))
    search = Search(reader, registry)
    found = search.all()
    keys: dict[str, Any] = {
        f"{'.'.join(place)}.use": slot.kind
        for name, slot in search.slots.items()
        if name in data
        for place in search.places_of(name)
    }
    for table, parameters in _tables_of(found.values()).items():
        keys |= {f"{table}.{each.name}": _bare(each.hint) for each in parameters}
    return dict(sorted(keys.items()))


def _bare(hint: Any) -> Any:
    """A type without its range."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _homes(found: Iterable[Found]) -> dict[str, tuple[str, ...]]:
    """For each key, the tables in which it would be right."""
    tables = list(found)
    homes: dict[str, list[str]] = {}
    for name in sorted(each.name for each in tables if each.learns):
        homes.setdefault("optimizer", []).append(name)
    for name, parameters in sorted(_tables_of(tables).items()):
        for each in parameters:
            homes.setdefault(each.name, []).append(name)
    return {key: tuple(names) for key, names in homes.items()}


def _tables_of(found: Iterable[Found]) -> dict[str, tuple[Parameter, ...]]:
    """Each table of a run file, ebmkit's own and the optimizers' among them, with its parameters."""
    tables = {name: signature_of(table).parameters for name, table in OWN_TABLES.items()}
    for top in found:
        tables |= {".".join(each.key): each.parameters() for each in top.walk()}
        if top.learns:
            tables[f"{top.name}.optimizer"] = signature_of(Adam).parameters
    return tables


def _read_parts(reader: Reader, found: Mapping[Any, Found]) -> dict[Any, Part]:
    """The parts of these tables, without those of which nobody can tell what they are."""
    parts = {place: _read_part(reader, each) for place, each in found.items()}
    return {place: part for place, part in parts.items() if part is not None}


def _read_part(reader: Reader, found: Found) -> Part | None:
    """The values of a table, and of those inside it.

    Of an unknown component the keys that every table of its kind shares are checked, and there is no part.
    """
    component, learns = found.component, found.learns
    optimizer = _read_optimizer(reader, (*found.key, "optimizer")) if learns else None
    nested = _read_parts(reader, found.nested)
    if component is None:
        reader.values(found.key, found.shared, owner=header(found.key), ignore=reader.table(found.key) or ())
        return None
    signature = component.signature
    for each in signature.parameters:
        if not is_supported(each.hint):
            wrong = f"its parameter {each.name!r} has the type {describe(each.hint)}, {UNSUPPORTED}"
            raise PluginError(f"{component.owner} cannot be used: {wrong}")
    values = reader.values(
        found.key,
        found.parameters(),
        owner=owner_of(component),
        ignore=["use", *found.slots, *(["optimizer"] if learns else [])],
        more=f"ebmkit plugins show {component.kind}/{component.name}",
    )
    return Part(
        found.use,
        component,
        {each.name: values[each.name] for each in signature.parameters if each.name in values},
        {each.name: values[each.name] for each in found.shared},
        optimizer,
        nested,
    )


def _read_optimizer(reader: Reader, key: Key) -> OptimizerSettings:
    before = len(reader.problems)
    use = use_in(reader, key)
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


def _check_wiring(
    reader: Reader, slots: Slots, found: Mapping[str, Found], parts: Mapping[str, Part]
) -> None:
    """Every part the components ask for has a table, and every table has somebody who asks."""
    wanted: set[str] = set()
    for key, part in (each for name, top in parts.items() for each in top.walk(key_of(name))):
        owner = owner_of(part.component)
        for slot in part.component.signature.parts:
            asked = slots.get(slot.name)
            if asked is not None or slot.name in INJECTED or not slot.required:
                wanted.add(slot.name)
            if slot.required and asked is not None and not _is_there(reader, slot.name, asked):
                place = header((slot.name, "NAME") if asked.many else (slot.name,))
                message = f"{owner} needs the part {slot.name!r}: add a table {place}"
                reader.report("E106", message, (*key, "use"), value=True)
    schedule = parts.get("schedule")
    for name in {key_of(name)[0] for name in found} - wanted - {"data", "schedule"}:
        if schedule is not None:
            message = (
                f"scheduler {schedule.component.name!r} takes no part {name!r}: remove the table [{name}]"
            )
            reader.report("E108", message, (name,), helps=[f"it takes: {', '.join(_taken(schedule, slots))}"])


def _is_there(reader: Reader, name: str, slot: Slot) -> bool:
    """Whether the file has a table for a slot: of several parts one at least."""
    return bool(reader.document.data.get(name)) if slot.many else name in reader.document.data


def _check_easing(
    reader: Reader, guard: GuardTable, found: Mapping[str, Found], parts: Mapping[str, Part]
) -> None:
    """A step can be made smaller only where there is one; of an unknown sampler nobody can tell."""
    if guard.step_factor == 1 or ("revision" in found and "revision" not in parts):
        return
    if "revision" not in parts or "step_size" not in parts["revision"].values:
        message = "'step_factor' needs a [revision] whose sampler has a step_size"
        reader.report("E108", message, ("guard", "step_factor"))


def _taken(schedule: Part, slots: Slots) -> list[str]:
    signature: Signature = schedule.component.signature
    return [slot.name for slot in signature.parts if slot.name in slots]
