"""Runs an experiment in its folder: metrics, grids, checkpoints, signals."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, final

import attrs
import torch
from rich.console import Console

from ebmkit import __version__
from ebmkit.config.changes import Allowed, refuse_changes
from ebmkit.config.plan import Plan
from ebmkit.core import world
from ebmkit.core.stopping import Stopped, stoppable, unstoppable
from ebmkit.errors import CheckpointError, DataError, EbmkitError, TrainingError
from ebmkit.messages.streams import outliving
from ebmkit.report import (
    Display,
    MetricsLog,
    OutputLog,
    are_images,
    open_display,
    save_grid,
    say,
    say_facts,
    warn,
)
from ebmkit.run.build import build_experiment
from ebmkit.run.inspection import Inspector
from ebmkit.run.processes import Crew, joined
from ebmkit.run.rollback import GuardedTraining
from ebmkit.run.signals import EXIT_CODES, StopFlag
from ebmkit.storage.checkpoint import (
    Checkpoint,
    capture,
    expected_bytes,
    initialise,
    newest_checkpoint,
    write_checkpoint,
)
from ebmkit.storage.durable import sync
from ebmkit.storage.folder import RunFolder
from ebmkit.training.guard import Guard, Rollback
from ebmkit.training.loop import Experiment, Report
from ebmkit.training.precision import in_software

__all__ = ["describe", "resume_run", "start_run"]

_MANY = 100_000
_MOST_THREADS = 4096


def start_run(
    plan: Plan,
    folder: RunFolder,
    console: Console,
    *,
    stop: StopFlag | None = None,
    source: RunFolder | None = None,
) -> int:
    """Train from iteration 0 in a new folder.

    Args:
        plan: what to train.
        folder: where; a new one.
        console: what the run says.
        stop: ends it early when a signal came; none ends with its iterations alone.
        source: another run, whose weights the parts that both have start from.

    Returns:
        the exit code: 0 done, 130 after Ctrl-C, 75 after a signal of a batch system; saved in each case.
        What cannot be printed changes nothing of it: the run folder's ``output.log`` says so.

    Raises:
        EbmkitError: what went wrong, with its exit code.
    """
    stop = stop or StopFlag()
    with outliving() as lost, joined(timeout=plan.run.rank_timeout) as crew, ExitStack() as held:

        def prepare() -> _Session:
            if crew.leads:
                folder.refuse_existing()
            experiment = build_experiment(plan)
            Inspector(plan, experiment).examine(0)
            facts = _facts(plan, experiment)
            voice = _voice(crew, console)
            if source is not None:
                facts |= _start_from(source, experiment, voice)
            stop.keep()
            if crew.leads:
                folder.create()
                held.enter_context(folder.locked())
                _look_for_room(plan, folder, experiment, voice)
            training = GuardedTraining(plan, folder.checkpoints, experiment, Guard(plan.guard), crew)
            unheard = OutputLog(folder.output_log, lost)
            session = _Session(plan, folder, training, facts, crew, voice, stop, unheard)
            if source is not None:
                training.guard.trusted.append(0)  # going back to the start means to these weights
            if crew.leads:
                if source is not None:  # a run that is killed before its next save resumes with them
                    session.save(0)
                folder.write_config(plan.tables())
            return session

        return crew.agreed(prepare).run(start=0)


def resume_run(
    plan: Plan,
    folder: RunFolder,
    console: Console,
    *,
    stop: StopFlag | None = None,
    allowed: Allowed | None = None,
) -> int:
    """Go on from the newest good checkpoint; the result is that of an uninterrupted run.

    Args:
        plan: the run's own, with what may differ.
        folder: of the run.
        console: what the run says.
        stop: ends it early when a signal came.
        allowed: which changes since the checkpoint are accepted.

    Returns:
        the exit code, as ``start_run``.

    Raises:
        EbmkitError: no good checkpoint, other data, or what went wrong in training.
    """
    stop = stop or StopFlag()
    with outliving() as lost, joined(timeout=plan.run.rank_timeout) as crew, ExitStack() as held:
        voice = _voice(crew, console)

        def prepare() -> tuple[_Session, int]:
            if crew.leads:
                held.enter_context(folder.locked())
            experiment = build_experiment(plan)
            if crew.leads:
                _look_for_room(plan, folder, experiment, voice)
            facts = _facts(plan, experiment)
            training = GuardedTraining(plan, folder.checkpoints, experiment, Guard(plan.guard), crew)
            start = _restore_newest(plan, training, facts, allowed or Allowed(), voice)
            unheard = OutputLog(folder.output_log, lost)
            return _Session(plan, folder, training, facts, crew, voice, stop, unheard), start

        session, start = crew.agreed(prepare)
        if start >= plan.run.iterations:
            further = f"ebmkit resume {folder.name} --set run.iterations={2 * start} trains further"
            say(voice, f"nothing to do: {start}/{plan.run.iterations} iterations are done; {further}")
            return 0
        stop.keep()
        if crew.leads:
            folder.write_config(plan.tables())
        return session.run(start=start)


def _start_from(source: RunFolder, experiment: Experiment, console: Console) -> dict[str, Any]:
    """Initialise from another run's newest good checkpoint, say what was taken; the facts to remember."""
    checkpoint, _ = newest_checkpoint(source.checkpoints)
    say(console, f"from {source.path}, iteration {checkpoint.iteration}")
    for line in initialise(experiment, checkpoint):
        say(console, f"  {line}")
    return {"from": {"run": str(source.path), "iteration": checkpoint.iteration}}


def _look_for_room(plan: Plan, folder: RunFolder, experiment: Experiment, console: Console) -> None:
    """Warn or refuse where the disk is too full for the checkpoints of the run."""
    warning = folder.room_for(expected_bytes(experiment), keep=plan.run.keep)
    if warning:
        warn(console, f"warning: {warning}")


def _voice(crew: Crew, console: Console) -> Console:
    """One of several processes speaks."""
    return console if crew.leads else Console(quiet=True)


def _restore_newest(
    plan: Plan, training: GuardedTraining, facts: Mapping[str, Any], allowed: Allowed, console: Console
) -> int:
    """Put the newest good checkpoint into the training; its iteration, 0 where there is none."""
    if not any(training.checkpoints.glob("iteration-*")):
        return 0
    checkpoint, refused = newest_checkpoint(training.checkpoints)
    for line in refused:
        warn(console, f"warning: skipped a damaged checkpoint: {line}")

    def place(key: str) -> str:
        return plan.document.place(tuple(key.split(".")))

    for line in refuse_changes(checkpoint.facts, facts, allowed, place=place):
        warn(console, line)
    _restore_threads(checkpoint, console)
    training.resume(checkpoint)
    return checkpoint.iteration


def describe(plan: Plan, experiment: Experiment) -> list[tuple[str, str]]:
    """A few facts about what is going to run, each with its name: parts, sizes, data, device."""
    facts = []
    width = max(len(part.component.name) for part in plan.parts.values())
    for name, part in plan.parts.items():
        details = ", ".join(f"{key}={value}" for key, value in part.shared.items() if value is not False)
        if name in experiment.learners:
            weights = sum(each.numel() for each in experiment.learners[name].module.parameters())
            details = f"{weights / 1e6:.2f} M parameters" if weights >= _MANY else f"{weights} parameters"
        if name == "data":
            source = experiment.batches.source
            count = "1 example" if len(source) == 1 else f"{len(source)} examples"
            details = f"{count} {'x'.join(map(str, source.shape))}, {details}"
        facts.append((name, f"{part.component.name:<{width}}  {details}".rstrip()))
    facts += [("note", note) for note in experiment.batches.source.notes]
    return [*facts, ("device", str(experiment.batches.device)), *_of_precision(experiment)]


def _of_precision(experiment: Experiment) -> list[tuple[str, str]]:
    """A fact where the precision is not the usual one."""
    if experiment.precision == "fp32":
        return []
    software = in_software(experiment.precision, experiment.batches.device)
    note = " (this processor has no bfloat16 arithmetic: fp32 is faster here)" if software else ""
    return [("precision", f"{experiment.precision}{note}")]


@final
@attrs.frozen
class _Session:
    """One process training one run; of several, all do the same and the one that leads writes."""

    plan: Plan
    folder: RunFolder
    training: GuardedTraining
    facts: Mapping[str, Any]
    crew: Crew
    console: Console
    stop: StopFlag
    unheard: OutputLog

    def run(self, *, start: int) -> int:
        """Train to the end or a signal; the exit code."""
        done, received = self._iterate(start)
        if received and done < self.plan.run.iterations:
            code = EXIT_CODES[received]
            message = f"saved iteration {done}; continue with: ebmkit resume {self.folder.name}"
        else:
            code, message = (
                0,
                f"done: {done} iterations; samples, metrics and checkpoints are in {self.folder.path}",
            )
        say(self.console, message)
        self._note_what_is_lost(done)
        return code

    def _iterate(self, start: int) -> tuple[int, int]:
        """The iterations that are done at the end, and the signal that came."""
        run, crew = self.plan.run, self.crew
        with self._writing():
            log = MetricsLog(self.folder.metrics, after=start) if crew.leads else None
        self._announce(start)
        done, received = start, 0
        # Several processes agree after each iteration: one that left a chain would be waited for.
        alone = crew.world.size == 1

        def rolled_back(rollback: Rollback) -> None:
            nonlocal done
            done = rollback.to
            self._rolled_back(log, display, rollback)

        with (
            crew.explaining(self.folder.name),
            open_display(self.console, start=start, iterations=run.iterations) as display,
        ):
            try:
                with stoppable(self.stop.requested) if alone else nullcontext():
                    for report in self._train(start, rolled_back):
                        done = report.iteration
                        received = crew.largest(self.stop.received or 0)
                        last = done == run.iterations or received > 0
                        with unstoppable(), self._writing():
                            self._record(report, log, display, last=last)
                        if last:
                            break
            except Stopped:
                received = self.stop.received or 0
                self.save(done)
        return done, received

    def _note_what_is_lost(self, iteration: int) -> None:
        """One process writes the run folder."""
        if self.crew.leads:
            self.unheard.note(iteration)

    def _announce(self, start: int) -> None:
        run = self.plan.run
        begin = f"from iteration {start} to {run.iterations}" if start else f"{run.iterations} iterations"
        say(self.console, f"ebmkit {__version__} · run {self.folder.name} · {begin} · seed {run.seed}")
        say_facts(self.console, describe(self.plan, self.training.experiment))
        if self.crew.world.size > 1:
            shared = f"{self.crew.world.size}, each with its part of every batch"
            say_facts(self.console, [("processes", shared)])

    def _train(self, start: int, on_rollback: Callable[[Rollback], None]) -> Iterator[Report]:
        iteration = start
        try:
            for report in self.training.reports(start, on_rollback=on_rollback):
                iteration = report.iteration
                if self._inspector.is_due(iteration):
                    self._inspector.examine(iteration)
                yield report
        except DataError as error:  # met in training, not before it
            raise TrainingError(
                f"iteration {iteration + 1}: {error}\n"
                f"The last checkpoint is intact (ebmkit resume {self.folder.name})."
            ) from error
        except EbmkitError:
            raise
        except Exception as error:
            if self.crew.world.size == 1:  # a process that fails alone must not wait for the others
                self._inspector.examine(iteration)  # a broken promise says more than what came of it
            place = self._inspector.where(error)
            raise TrainingError(
                f"iteration {iteration + 1} failed{place}: {type(error).__name__}: {error}\n"
                f"The last checkpoint is intact (ebmkit resume {self.folder.name}); "
                "EBMKIT_DEBUG=1 shows the traceback."
            ) from error

    @property
    def _inspector(self) -> Inspector:
        """Of the experiment that is training now; a rollback replaces it."""
        return Inspector(self.plan, self.training.experiment)

    def _record(self, report: Report, log: MetricsLog | None, display: Display, *, last: bool) -> None:
        run, iteration = self.plan.run, report.iteration
        display.advance(iteration)
        finished = iteration == run.iterations
        logs = iteration % run.log_every == 0 or iteration == 1 or finished
        draws = iteration % run.samples_every == 0 or finished
        saves = iteration % run.checkpoint_every == 0 or last
        if saves or iteration == 1:
            self.crew.refuse_drift(self.training.experiment.schedule.state_dict())
        if logs or draws:
            report = report.gathered()
        if log is None:
            return
        if logs:
            metrics = report.metrics()
            log.append(iteration, metrics)
            display.show(iteration, metrics)
        if draws:
            self._draw(report)
        if saves:
            self.save(iteration)
        self._note_what_is_lost(iteration)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Make what the disk refuses an error that says how to go on; ``save`` has one of its own.

        Raises:
            TrainingError: a file of the run folder cannot be written.
        """
        try:
            yield
        except OSError as error:
            raise TrainingError(
                f"cannot write {error.filename or self.folder.path}: {error.strerror} "
                f"({shutil.disk_usage(self.folder.path).free / 1e6:.0f} MB are free); the last checkpoint is "
                f"intact: ebmkit resume {self.folder.name}"
            ) from error

    def _rolled_back(self, log: MetricsLog | None, display: Display, rollback: Rollback) -> None:
        """Tell, write down, and forget the figures of the iterations that are done again."""
        rollbacks = self.training.guard.rollbacks
        if log is not None:
            log.cut(rollback.to)
            self.folder.write_rollbacks([each._asdict() for each in rollbacks])
        target = f"iteration {rollback.to} (healthy)" if rollback.to else "the start"
        display.restart(rollback.to)
        display.say(
            f"! {rollback.reason}\n"
            f"  Nothing of it was saved. Back to {target} with new noise, rollback {len(rollbacks)}."
        )

    def _draw(self, report: Report) -> None:
        """A grid of every set the iteration made, where the examples are images."""
        sets = {**report.examples._asdict(), "reconstructed": report.reconstructed}
        sets.pop("latents")
        for name, images in sets.items():
            if images is not None and are_images(images):
                save_grid(self.folder.grid(name, report.iteration), images)

    def save(self, iteration: int) -> None:
        """Write the checkpoint of this iteration.

        Raises:
            TrainingError: the disk is full or failing.
        """
        try:
            guard = self.training.guard
            facts = {**self.facts, **guard.facts()}
            checkpoint = capture(self.training.experiment, iteration=iteration, facts=facts)
            if self.folder.metrics.exists():  # a resumed run makes only later lines again
                sync(self.folder.metrics)
            keep, protected = self.plan.run.keep, guard.protected
            write_checkpoint(self.folder.checkpoints, checkpoint, keep=keep, protected=protected)
        except OSError as error:
            raise TrainingError(
                f"cannot save iteration {iteration} in {self.folder.checkpoints}: {error.strerror} "
                f"(it takes about {expected_bytes(self.training.experiment) / 1e6:.0f} MB, "
                f"{shutil.disk_usage(self.folder.path).free / 1e6:.0f} MB are free); "
                "the checkpoint before it is intact"
            ) from error


def _facts(plan: Plan, experiment: Experiment) -> dict[str, Any]:
    """What a checkpoint must remember beside tensors."""
    source = experiment.batches.source
    plugins = {each.distribution: each.version for each in plan.components()}
    return {
        "config": plan.tables(),
        "data": {"shape": list(source.shape), "examples": len(source), "sha256": source.fingerprint()},
        "plugins": plugins,
        "threads": torch.get_num_threads(),
        "processes": world().size,
        "versions": {"ebmkit": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def _restore_threads(checkpoint: Checkpoint, console: Console) -> None:
    """Sums split over another number of threads round differently, so a resumed run keeps its own."""
    before, now = checkpoint.facts.get("processes", 1), world().size
    if before != now:
        message = f"saved by {before} processes, goes on with {now}: "
        say(console, message + "the same batches and noise, sums that round differently")
        return
    threads = checkpoint.facts.get("threads", torch.get_num_threads())
    if not 0 < threads <= _MOST_THREADS:
        raise CheckpointError(f"the checkpoint was written by {threads} threads, which cannot be")
    if threads != torch.get_num_threads():
        say(console, f"using {threads} threads, as the run did when it was saved")
        torch.set_num_threads(threads)
