"""Sweep files: a run file, and which of its keys take which values; without torch and Optuna."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, final

import attrs

from ebmkit.applications.sweep.ranges import Range, read_ranges
from ebmkit.config import Reader, read_document, signature_of
from ebmkit.config.plan import Plan, make_plan
from ebmkit.errors import ConfigError
from ebmkit.parameters.ranges import Ge
from ebmkit.registry.discovery import Registry

__all__ = ["SweepFile", "SweepTable", "read_sweep"]

_SWEEP = "sweep"


@attrs.frozen(kw_only=True)
class SweepTable:
    """``[sweep]``: how values are chosen, and what a trial is worth.

    Args:
        name: of the folder under ``runs/``; by default that of the sweep file.
        base: the run file, beside the sweep file; by default the other tables of the sweep file are it.
        sampler: ``grid`` takes every combination in order, ``random`` draws each trial anew, ``tpe`` draws
            where earlier trials were good (tree-structured Parzen estimator).
        trials: how many; 0 takes all of a grid.
        seed: of the values that are drawn.
        metric: a figure of ``metrics.jsonl``; a trial is worth its last value.
        direction: which values of it are good.
        pruner: ``median`` ends a trial whose metric is worse than the median of the others at that iteration.
        startup: trials that have finished before one is pruned.
        warmup: iterations before which none is pruned.
        storage: the kind of file in which the trials are written down.
    """

    name: str = ""
    base: str = ""
    sampler: Literal["grid", "random", "tpe"] = "tpe"
    trials: Annotated[int, Ge(0)] = 0
    seed: int = 0
    metric: str = "evaluation_kid"
    direction: Literal["minimize", "maximize"] = "minimize"
    pruner: Literal["none", "median"] = "none"
    startup: Annotated[int, Ge(1)] = 5
    warmup: Annotated[int, Ge(0)] = 0
    storage: Literal["journal", "sqlite"] = "journal"


_DECIDES = ("sampler", "seed", "metric", "direction")
"""Keys that a sweep which is continued cannot have changed."""


@final
@attrs.frozen
class SweepFile:
    """A sweep file, checked.

    Attributes:
        table: ``[sweep]``.
        ranges: ``[sweep.parameters]``.
        base: the run file.
        overrides: of its keys.
        removed: tables of it that are not the run's.
    """

    table: SweepTable
    ranges: Sequence[Range]
    base: Path
    overrides: Sequence[str]
    removed: Sequence[str]

    @property
    def trials(self) -> int:
        """How many there will be."""
        every = math.prod(len(each.points()) for each in self.ranges)
        return min(self.table.trials or every, every) if self.table.sampler == "grid" else self.table.trials

    def point(self, number: int) -> Mapping[str, str]:
        """The values of a grid's trial, as TOML; the last key changes fastest."""
        points = itertools.product(*(each.points() for each in self.ranges))
        values = next(itertools.islice(points, number, None))
        return dict(zip((each.key for each in self.ranges), values, strict=True))

    def plan(self, values: Mapping[str, str]) -> Plan:
        """The run of a trial.

        Args:
            values: as TOML, by ``table.key``.

        Raises:
            ConfigProblemsError: the run file or a value is wrong.
        """
        overrides = [*self.overrides, *(f"{key}={value}" for key, value in values.items())]
        return make_plan(read_document(self.base, overrides, self.removed), Registry.discover())

    def check(self) -> None:
        """Check the run file at both ends of every range.

        Raises:
            ConfigError: it, or a value of a range, is wrong; or no trial would have the metric.
        """
        first = {each.key: each.ends()[0] for each in self.ranges}
        for each in self.ranges:
            for value in each.ends():
                plan = self.plan({**first, each.key: value})
        if self.table.metric.startswith("evaluation_") and not plan.evaluation.every:
            raise ConfigError(
                f"metric = {self.table.metric!r} needs trials to be evaluated while they train: "
                "add [evaluation] every = … to the run file"
            )

    def deciding(self) -> Mapping[str, Any]:
        """What is the same whenever the sweep is continued, for JSON."""
        table = {name: getattr(self.table, name) for name in _DECIDES}
        ranges = {each.key: attrs.asdict(each) for each in self.ranges}
        first = {each.key: each.ends()[0] for each in self.ranges}
        return {_SWEEP: {**table, "parameters": ranges}, "file": self.plan(first).tables()}


def read_sweep(path: Path, overrides: Sequence[str] = ()) -> SweepFile:
    """Read a sweep file.

    Args:
        path: of the file.
        overrides: ``table.key=value``, of ``[sweep]`` or of the run file.

    Raises:
        ConfigError: no such file, or everything that is wrong with ``[sweep]``.
    """
    of_sweep = [each for each in overrides if each.startswith(f"{_SWEEP}.")]
    document = read_document(path, of_sweep)
    reader = Reader(document)
    if _SWEEP not in document.data:
        reader.report(
            "E106", "missing table [sweep]", (), helps=["a sweep file has [sweep] beside a run file"]
        )
    parameters = signature_of(SweepTable).parameters
    table = SweepTable(**reader.values((_SWEEP,), parameters, owner="[sweep]", ignore=["parameters"]))
    ranges = read_ranges(reader, grid=table.sampler == "grid")
    for key, message in _faults(table, document.data):
        reader.report("E106", message, key)
    reader.finish()
    base = path.parent / table.base if table.base else path
    table = attrs.evolve(table, name=table.name or path.stem)
    others = [each for each in overrides if each not in of_sweep]
    return SweepFile(table, ranges, base, others, [] if table.base else [_SWEEP])


def _faults(table: SweepTable, data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with the table as a whole, and where."""
    if table.sampler != "grid" and not table.trials:
        yield (_SWEEP,), f'sampler = "{table.sampler}" needs trials = …: how many'
    others = [name for name in data if name != _SWEEP]
    if table.base and others:
        yield (
            (others[0],),
            f"[sweep] has base = {table.base!r}, whose tables are meant: [{others[0]}] stands there",
        )
