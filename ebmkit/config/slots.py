"""The tables of a run file that name parts: those of every run, and those that its schedule asks for.

A positional parameter of a schedule is a slot: its annotation says the kind of part, its name the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from ebmkit.parameters.signature import PartSlot
from ebmkit.registry.discovery import Component
from ebmkit.registry.kinds import KINDS, kind_of_slot

__all__ = ["AVERAGING", "BESIDE", "INJECTED", "LEARNING", "NESTED", "Inner", "Slot", "Slots", "slots_for"]

INJECTED = ("shape", "examples", "classes", "trained")
"""What comes from the data, and the way to energies that other runs trained; no table names these."""

NESTED = ("part", "parts")
"""Slots for parts of the same kind, in tables of their own: ``[energy.part]``, ``[energy.parts.NAME]``."""

BESIDE = ("data", "trackers")
"""Tables of parts that no other part takes: the run itself uses them."""


@attrs.frozen
class Inner:
    """A table that stands inside that of every part with weights.

    Attributes:
        kind: of the part that it names.
        use: what it names where it does not say, or is not there.
    """

    kind: str
    use: str


LEARNING: Mapping[str, Inner] = {"optimizer": Inner("optimizer", "adam")}
"""The parts in the table of every part with weights."""

AVERAGING = "averaging"
"""A table that may stand beside those, whose keys are ebmkit's."""

_USUAL = {"energy": "energy", "generator": "generator", "revision": "sampler", "inference": "sampler"}
"""Tables that are known whatever the schedule is, so that one which is misspelt hides nothing."""


@attrs.frozen
class Slot:
    """A table for a part of one kind, or for several of them: ``[grids.16]``, ``[grids.64]``."""

    kind: str
    many: bool = False

    @property
    def learns(self) -> bool:
        """Whether its parts have weights."""
        return KINDS[self.kind].learns


Slots = Mapping[str, Slot]
"""By the name of the table, in the order in which parts are built; the schedule is last: it takes them."""


def slots_for(schedule: Component | None) -> Slots:
    """The tables that a run with this schedule may have; with an unknown one, the usual tables."""
    asked = dict(_asked_for(schedule.signature.parts)) if schedule is not None else {}
    usual = {name: Slot(kind) for name, kind in _USUAL.items()}
    trackers = Slot("tracker", many=True)
    return {"data": Slot("source"), **usual, **asked, "trackers": trackers, "schedule": Slot("scheduler")}


def _asked_for(parts: tuple[PartSlot, ...]) -> Iterator[tuple[str, Slot]]:
    for each in parts:
        if each.name not in INJECTED and (kind := kind_of_slot(each)) is not None:
            yield each.name, Slot(kind.name, each.many)
