"""What a checked run file comes to: its parts, and the plan that holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ebmkit.config import AveragingTable, Document, EvaluationTable, GuardTable, Key, RunTable
from ebmkit.config.records import plain
from ebmkit.config.slots import AVERAGING
from ebmkit.messages.brief import brief
from ebmkit.registry.discovery import Component

__all__ = ["Part", "Plan", "key_of"]


@attrs.frozen
class Part:
    """One table of the plan: the component, its keywords, and the keys that belong to ebmkit.

    Attributes:
        use: names the component as the run file does: a qualified name stays qualified in the resolved file.
        component: what is built.
        values: its keywords.
        shared: the keys of the table that ebmkit reads.
        nested: the parts that this one is made of, by their place under its table: ``("part",)`` or
            ``("parts", NAME)``.
        learning: of a part with weights, what the tables of ``LEARNING`` name: ``optimizer``.
        averaging: how its weights are averaged; None where they are not.
    """

    use: str
    component: Component
    values: Mapping[str, Any]
    shared: Mapping[str, Any] = attrs.field(factory=dict)
    nested: Mapping[Key, Part] = attrs.field(factory=dict)
    learning: Mapping[str, Part] = attrs.field(factory=dict)
    averaging: AveragingTable | None = None

    def __repr__(self) -> str:
        return brief(self)

    def walk(self, key: Key) -> Iterator[tuple[Key, Part]]:
        """This part at ``key`` and every one that it is made of, each with its own key."""
        yield key, self
        for place, part in self.nested.items():
            yield from part.walk((*key, *place))

    def components(self) -> Iterator[Component]:
        """Every component that the table names, those inside others too."""
        yield self.component
        for part in (*self.nested.values(), *self.learning.values()):
            yield from part.components()

    def table(self) -> dict[str, Any]:
        """The part as a table of the resolved run file."""
        use = self.use if self.component.code is None else self.component.code.pinned
        table: dict[str, Any] = {"use": use, **self.shared, **plain(self.values)}
        table |= {name: part.table() for name, part in self.learning.items()}
        if self.averaging is not None:
            table[AVERAGING] = attrs.asdict(self.averaging)
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
        evaluation: the ``[evaluation]`` table.
        parts: one for each other table, by the table's name, ``grids.16`` where a slot takes several; in the
            order in which they are built.
    """

    document: Document
    run: RunTable
    guard: GuardTable
    evaluation: EvaluationTable
    parts: Mapping[str, Part]

    def __repr__(self) -> str:
        return brief(self)

    def tables(self) -> dict[str, dict[str, Any]]:
        """The resolved run file: every key with the value it has in this run."""
        own: dict[str, Any] = {"run": self.run, "guard": self.guard, "evaluation": self.evaluation}
        tables: dict[str, dict[str, Any]] = {name: attrs.asdict(table) for name, table in own.items()}
        for name, part in self.parts.items():
            table, *inside = key_of(name)
            if inside:
                tables.setdefault(table, {})[inside[0]] = part.table()
            else:
                tables[table] = part.table()
        return tables

    def components(self) -> Iterator[Component]:
        """Every component of the run, those inside others too."""
        for part in self.parts.values():
            yield from part.components()

    def eased(self, step: float, rate: float) -> Plan:
        """This plan with the revision's step and the learning rates multiplied by these factors."""
        return attrs.evolve(
            self, parts={name: _eased(name, part, step, rate) for name, part in self.parts.items()}
        )


def key_of(name: str) -> Key:
    """Where the table of a part stands: ``grids.16`` is the table ``[grids.16]``."""
    return tuple(name.split(".", 1))


def _eased(name: str, part: Part, step: float, rate: float) -> Part:
    values, learning = part.values, dict(part.learning)
    if name == "revision" and step != 1:
        values = {**values, "step_size": values["step_size"] * step}
    if (optimizer := learning.get("optimizer")) is not None:
        slower = {**optimizer.values, "lr": optimizer.values["lr"] * rate}
        learning["optimizer"] = attrs.evolve(optimizer, values=slower)
    return attrs.evolve(part, values=values, learning=learning)
