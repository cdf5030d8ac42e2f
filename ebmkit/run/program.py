"""A run of parts that a program built: the loop is the program's, everything else as with a run file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import attrs
from rich.console import Console
from torch import Tensor

from ebmkit.config import Document, GuardTable, Reader, RunTable, read_document, signature_of
from ebmkit.config.changes import Allowed
from ebmkit.config.plan import Plan
from ebmkit.config.tables import DataKeys, EvaluationTable
from ebmkit.core import CooperativeScheduler, Optimizer, Source, TensorSource, World
from ebmkit.errors import ConfigError
from ebmkit.registry.discovery import Registry
from ebmkit.report import OutputLog
from ebmkit.run.build import assemble, choose_device
from ebmkit.run.handmade import plan_of
from ebmkit.run.inspection import Inspector
from ebmkit.run.opening import PROGRAM
from ebmkit.run.processes import Crew
from ebmkit.run.rollback import GuardedTraining
from ebmkit.run.signals import StopFlag
from ebmkit.run.start import facts_of, look_for_room, restore_newest, session_of
from ebmkit.storage.folder import RUNS, RunFolder, find_run
from ebmkit.training.guard import Guard, Rollback, easing
from ebmkit.training.loop import Experiment, Report

__all__ = ["Run"]


@final
class Run:
    """A training of parts that were built in Python, with a run folder like any other.

    Checkpoints, metrics, sample grids, exact resume and the guard against divergence are those of
    ``ebmkit run``; nothing is printed. Where plugins offer all parts, the run can be opened by its name
    alone, in other programs and on the command line.

    Attributes:
        folder: of the run.
        iteration: how many iterations are done.
    """

    def __init__(self, folder: RunFolder, training: GuardedTraining, iteration: int) -> None:
        self.folder = folder
        self.iteration = iteration
        self._training = training

    def __repr__(self) -> str:
        return f"Run({self.folder.name!r}, {self.iteration} iterations done)"

    @classmethod
    def new(
        cls,
        name: str,
        schedule: CooperativeScheduler,
        *,
        data: Tensor | Source,
        batch: int = 64,
        rates: Mapping[str, float] | None = None,
        optimizers: Mapping[str, Optimizer] | None = None,
        seed: int = 0,
        guard: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Run:
        """Begin a run; its weights are those that the parts have now.

        Args:
            name: under ``runs/``, or the path of a folder; a new one.
            schedule: with its parts.
            data: examples ``(N, *S)``, or a source of them.
            batch: examples per iteration.
            rates: learning rates of Adam, by the name of the part: ``{"energy": 1e-2}``.
            optimizers: settings by the name of the part, where a rate does not say enough. A part with
                weights that has neither learns with Adam's defaults.
            seed: of batches and noise.
            guard: keys of ``[guard]``.
            settings: keys of ``[run]``: ``checkpoint_every=50``.

        Raises:
            EbmkitError: the folder exists, a setting is wrong, or a part breaks its promises.
        """
        folder = RunFolder(RUNS / name if Path(name).parent == Path() else Path(name))
        folder.refuse_existing()
        adam = Registry.discover().find("optimizer", "adam").factory
        chosen = {**{part: adam(lr=rate) for part, rate in (rates or {}).items()}, **(optimizers or {})}
        tables = {"run": {**settings, "seed": seed}, "guard": dict(guard or {}), "data": {"batch": batch}}
        plan = _planned(schedule, _source(data), tables, chosen)
        training = _training(plan, folder, schedule, _source(data))
        Inspector(plan, training.experiment).examine(0)
        folder.create()
        with folder.locked():
            look_for_room(plan, folder, training.experiment, _quiet())
            training.guard.trusted.append(0)  # to go back to the start: these weights are nowhere else
            _session(folder, training).checkpoints.save(0)
            folder.write_config(plan.tables())
        return cls(folder, training, 0)

    @classmethod
    def resume(
        cls,
        name: str,
        schedule: CooperativeScheduler,
        *,
        data: Tensor | Source,
        optimizers: Mapping[str, Optimizer] | None = None,
        allow_changes: Sequence[str] = (),
        accept_data_change: bool = False,
    ) -> Run:
        """Go on from the newest good checkpoint, with parts built as they were for ``new``.

        Everything else is in the run folder; the result is that of an uninterrupted run.

        Args:
            name: of the run.
            schedule: with its parts, of whatever weights.
            data: the same.
            optimizers: those of the program's own, by the name of the part.
            allow_changes: ``table.key`` of what may differ.
            accept_data_change: go on though the data changed.

        Raises:
            EbmkitError: no such run or checkpoint, other parts, or other data.
        """
        folder = find_run(name)
        tables = read_document(folder.config, saved=True).data
        plan = _planned(schedule, _source(data), tables, {**_optimizers_of(tables), **(optimizers or {})})
        training = _training(plan, folder, schedule, _source(data))
        with folder.locked():
            allowed = Allowed(allow_changes, accept_data_change)
            facts = facts_of(plan, training.experiment)
            checkpoint = restore_newest(plan, training, facts, allowed, _quiet())
        return cls(folder, training, 0 if checkpoint is None else checkpoint.iteration)

    def train(self, iterations: int) -> Iterator[Report]:
        """Train until so many iterations are done in all; a report on each.

        After a divergence the reports begin again at the iteration gone back to. A loop that is left early
        saves what is done; after an error or Ctrl-C the last checkpoint is intact.

        Args:
            iterations: in all, >= 1; nothing happens where they are done already.

        Raises:
            EbmkitError: what went wrong in training.
        """
        if iterations <= self.iteration:
            return
        plan = self._training.plan
        self._training.plan = attrs.evolve(plan, run=attrs.evolve(plan.run, iterations=iterations))
        with self.folder.locked():
            self.folder.write_config(self._training.plan.tables())
            session = _session(self.folder, self._training)
            for report in session.reports(self.iteration):
                self.iteration = report.iteration
                yield report


def _quiet() -> Console:
    return Console(quiet=True)


def _source(data: Tensor | Source) -> Source:
    return TensorSource(data) if isinstance(data, Tensor) else data


def _planned(
    schedule: CooperativeScheduler,
    source: Source,
    tables: Mapping[str, Any],
    optimizers: Mapping[str, Optimizer],
) -> Plan:
    """The plan of the parts, with the keys of these tables checked as those of a run file."""
    keys = {name: dict(tables.get(name, {})) for name in ("run", "guard", "evaluation", "data")}
    shared = signature_of(DataKeys).parameters
    keys["data"] = {each.name: keys["data"][each.name] for each in shared if each.name in keys["data"]}
    reader = Reader(Document("this program", "", keys, {}, {}))
    run = reader.values(("run",), signature_of(RunTable).parameters, owner="[run]")
    guard = reader.values(("guard",), signature_of(GuardTable).parameters, owner="[guard]")
    evaluation = reader.values(
        ("evaluation",), signature_of(EvaluationTable).parameters, owner="[evaluation]"
    )
    data = reader.values(("data",), shared, owner="[data]")
    reader.finish()
    if guard["step_factor"] != 1:
        raise ConfigError("step_factor: ebmkit cannot change the steps of a sampler that a program built")
    return plan_of(
        schedule,
        source,
        Registry.discover(),
        run=RunTable(**run),
        guard=GuardTable(**guard),
        evaluation=EvaluationTable(**evaluation),
        data=data,
        optimizers=optimizers,
    )


def _optimizers_of(tables: Mapping[str, Any]) -> dict[str, Optimizer]:
    """The optimizers that a resolved run file names, by part."""
    registry, found = Registry.discover(), {}
    for name, table in _parts_in(tables):
        settings = dict(table.get("optimizer", {}))
        if settings and not settings["use"].startswith(PROGRAM):
            factory = registry.find("optimizer", settings.pop("use")).factory
            found[name] = factory(**{key: _as_given(value) for key, value in settings.items()})
    return found


def _as_given(value: Any) -> Any:
    """A value of TOML, whose lists are tuples here."""
    return tuple(value) if isinstance(value, list) else value


def _parts_in(tables: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, table in tables.items():
        if "use" in table:
            yield name, table
        else:
            inside = ((f"{name}.{each}", inner) for each, inner in table.items() if isinstance(inner, dict))
            yield from inside


def _training(
    plan: Plan, folder: RunFolder, schedule: CooperativeScheduler, source: Source
) -> GuardedTraining:
    """The training of the parts, at iteration 0."""
    device = choose_device(plan.run.device)
    schedule.to(device)

    def build(rollbacks: Sequence[Rollback]) -> Experiment:
        eased = plan.eased(*easing(rollbacks))
        return assemble(eased, schedule, source, device=device, rollbacks=rollbacks)

    crew = Crew(World())
    return GuardedTraining(plan, folder.checkpoints, build(()), Guard(plan.guard), crew, build)


def _session(folder: RunFolder, training: GuardedTraining) -> Any:
    """A session that says nothing."""
    facts = facts_of(training.plan, training.experiment)
    unheard = OutputLog(folder.output_log, {})
    return session_of(folder, training, facts, console=_quiet(), stop=StopFlag(), unheard=unheard)
