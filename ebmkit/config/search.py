"""Finding the parts that a run file names, misspelt ones too, before a value is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import attrs

from ebmkit.config import (
    EvaluationTable,
    GuardTable,
    Key,
    Parameter,
    Reader,
    RunTable,
    WeightKeys,
    header,
    signature_of,
)
from ebmkit.config.slots import AVERAGING, LEARNING, NESTED, Slots, slots_for
from ebmkit.messages.quoting import quoted
from ebmkit.messages.spelling import edits, nearest
from ebmkit.parameters.outline import outline
from ebmkit.registry.discovery import Component, Registry, UnknownComponentError, imported
from ebmkit.registry.kinds import KINDS

__all__ = ["OWN_TABLES", "Found", "Search", "owner_of", "use_in"]

OWN_TABLES: Mapping[str, type] = {
    "run": RunTable,
    "guard": GuardTable,
    "evaluation": EvaluationTable,
}
"""Tables whose keys are all ebmkit's."""


def owner_of(component: Component) -> str:
    """A component in messages about its keys: ``sampler 'langevin'``."""
    return f"{component.kind} {component.name!r}"


def use_in(reader: Reader, key: Key) -> Any:
    """What ``use`` says in the table at ``key``, None without it; a misspelt one is reported, and read."""
    table = reader.table(key) or {}
    wrong = next((name for name in table if edits(name, "use") <= 1), None)
    if "use" not in table and wrong is not None:
        reader.unknown_key((*key, wrong), {}, owner=header(key), others=["use"])
        reader.rename((*key, wrong), "use")
        return table[wrong]
    return table.get("use")


@attrs.frozen
class Found:
    """A table that names a component, and those inside it.

    Attributes:
        key: where it stands.
        use: what names its component.
        component: what it names, or was probably meant to name; None where that is unclear: it is reported,
            and the keys that all tables of this kind share are read.
        shared: the keys that ebmkit reads in it, beside ``use`` and the tables inside it.
        slots: the keys under which tables of parts of the same kind stand in it.
        nested: those parts, by their place under this table, as in ``Part``.
        learning: of a part with weights, the tables of ``LEARNING``.
    """

    key: Key
    use: str
    component: Component | None
    shared: tuple[Parameter, ...]
    slots: tuple[str, ...]
    nested: Mapping[Key, Found]
    learning: Mapping[str, Found]

    @property
    def name(self) -> str:
        """Of the table: ``energy``, ``grids.16``."""
        return ".".join(self.key)

    @property
    def inside(self) -> tuple[str, ...]:
        """The tables that stand in that of a part with weights, or may: ``optimizer``, ``averaging``."""
        return (*self.learning, AVERAGING) if self.learning else ()

    def walk(self) -> Iterator[Found]:
        """This table and every one that names a part inside it."""
        yield self
        for each in (*self.nested.values(), *self.learning.values()):
            yield from each.walk()

    def parameters(self) -> tuple[Parameter, ...]:
        """Every key of the table but ``use`` and the tables inside it, as far as they are known."""
        return (*self.shared, *(self.component.signature.parameters if self.component is not None else ()))


class Search:
    """The tables of one run file that name parts.

    Args:
        reader: of the file; what is misspelt is reported to it, and read as what was meant.
        registry: the parts there are.

    Attributes:
        slots: the tables that the file may have.
    """

    def __init__(self, reader: Reader, registry: Registry) -> None:
        self._reader, self._registry = reader, registry
        schedule = self._schedule()
        self.slots: Slots = slots_for(schedule) if schedule is not None else self._slots_of_any()

    def _slots_of_any(self) -> Slots:
        """The tables of every installed schedule: none counts as unknown while the schedule itself is."""
        slots = dict(slots_for(None))
        for schedule in self._registry.components("scheduler"):
            slots = {**slots_for(schedule), **slots}
        return slots

    def _schedule(self) -> Component | None:
        """What ``[schedule]`` names, or was probably meant to name; nothing is reported yet."""
        data = self._reader.document.data
        table = data.get("schedule") or next(
            (data[name] for name in data if nearest(name, ["schedule"])), None
        )
        use = table.get("use") if isinstance(table, dict) else None
        return None if not isinstance(use, str) else _meant(self._registry, "scheduler", use)

    def spell_tables(self) -> None:
        """Report every misspelt table, and read it as the right one; report those that every run needs."""
        reader, names = self._reader, [*self.slots, *OWN_TABLES]
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

    def refuse_keys_outside(self) -> None:
        """A value in front of the first table header belongs to no table."""
        for name, value in self._reader.document.data.items():
            if name not in (*self.slots, *OWN_TABLES) and not isinstance(value, dict):
                self._reader.unknown_key((name,), {}, owner="the file itself, which has only tables")

    def all(self) -> dict[str, Found]:
        """Every table of a part, by ``table`` or, of one that holds several, ``table.name``."""
        places = [place for name in self.slots for place in self.places_of(name)]
        found = {".".join(place): self._search(place) for place in places}
        return {name: each for name, each in found.items() if each is not None}

    def places_of(self, name: str) -> list[Key]:
        """Where the tables of a slot stand: one, or each in it."""
        if not self.slots[name].many:
            return [(name,)]
        places = [(name, each) for each in self._reader.table((name,)) or ()]
        return [place for place in places if self._has_a_name(place)]

    def _has_a_name(self, place: Key) -> bool:
        """Whether a part can be called so: schedules find it as ``grids.16``, and a dot leads further in."""
        if "." not in place[-1]:
            return True
        message = f"a part of [{place[0]}] cannot be called {quoted(place[-1])}: its name holds a dot"
        self._reader.report("E102", message, place)
        return False

    def _is_top(self, key: Key) -> bool:
        """Whether a table is no part of another part's."""
        return len(key) == (2 if self.slots[key[0]].many else 1)

    def _shared(self, key: Key) -> tuple[Parameter, ...]:
        if not self._is_top(key):
            return signature_of(WeightKeys).parameters if key[-2] == "parts" else ()
        shared = KINDS[self.slots[key[0]].kind].shared
        return () if shared is None else signature_of(imported(shared)).parameters

    def _search(self, key: Key) -> Found | None:
        """The table at ``key``; None where there is none or it is no table."""
        reader = self._reader
        if reader.table(key) is None:
            return None
        slot = self.slots[key[0]]
        use = use_in(reader, key)
        component = self._find(slot.kind, key, use)
        learning = self._learning(key, component) if slot.learns and self._is_top(key) else {}
        slots = _slots_in(reader, key, component)
        nested = {
            place: each
            for slot_name in slots
            for place in _places(reader, key, slot_name, component)
            if (each := self._search((*key, *place))) is not None
        }
        return Found(key, str(use), component, self._shared(key), slots, nested, learning)

    def _learning(self, key: Key, component: Component | None) -> dict[str, Found]:
        """The tables of ``LEARNING`` in that of a part; one that is not there has its defaults."""
        found = {}
        for name, inner in LEARNING.items():
            _spell_slot(self._reader, key, name, component)
            place = (*key, name)
            use = use_in(self._reader, place)
            use = inner.use if use is None else use
            part = self._find(inner.kind, place, use)
            shared = _common(inner.kind) if part is None else ()
            found[name] = Found(place, str(use), part, shared, (), {}, {})
        _spell_slot(self._reader, key, AVERAGING, component)
        return found

    def _find(self, kind: str, key: Key, use: Any) -> Component | None:
        """The component of a kind that ``use`` of the table at ``key`` names.

        A misspelt name is reported and read as the right one; None, and a problem, where it names none.
        """
        reader, registry = self._reader, self._registry
        place = (*key, "use")
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
            near = error.suggestion
            label = f"did you mean {near!r}?" if near else ""
            reader.report(error.code, error.message, place, value=True, label=label, suggestion=near)
            return _meant(registry, kind, use)


def _common(kind: str) -> tuple[Parameter, ...]:
    """The keys that every part of a kind has, as far as its abstract class says without being imported."""
    base = outline(*KINDS[kind].base.split(":"))
    return base.signature.parameters if base is not None else ()


def _slots_in(reader: Reader, key: Key, component: Component | None) -> tuple[str, ...]:
    """The keys under which tables of parts stand in a table; of an unknown component those that are there."""
    if component is not None:
        return tuple(slot.name for slot in component.signature.parts if slot.name in NESTED)
    for slot in NESTED:
        _spell_slot(reader, key, slot, None)
    table = reader.table(key) or {}
    return tuple(slot for slot in NESTED if isinstance(table.get(slot), dict))


def _places(reader: Reader, key: Key, slot: str, component: Component | None) -> list[Key]:
    """Where under ``key`` the tables for a slot stand: the slot itself, or each table in it."""
    meant = component is not None and _spell_slot(reader, key, slot, component)
    inner = (*key, slot)
    table = reader.table(inner)
    if table:
        return [(slot,)] if slot == "part" else [(slot, name) for name in table]
    if component is not None and not meant and (table is not None or slot not in (reader.table(key) or {})):
        wanted = header(inner if slot == "part" else (*inner, "NAME"))
        message = f"{owner_of(component)} is made of other parts: add a table {wanted}"
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
            owner = owner_of(component) if component else header(key)
            reader.unknown_key((*key, name), {}, owner=owner, others=[slot])
            reader.rename((*key, name), slot)
    return bool(wrong)


def _meant(registry: Registry, kind: str, use: str) -> Component | None:
    """The component of this name, or of the nearest one; None where none or several offer it."""
    try:
        return registry.find(kind, use)
    except UnknownComponentError as error:
        with suppress(UnknownComponentError):
            return registry.find(kind, error.suggestion) if error.suggestion else None
    return None
