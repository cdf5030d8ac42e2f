"""One process training one run: takes reports, hands them to recorders, agrees with the others, stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import cast, final

import attrs
from rich.console import Console

from ebmkit import __version__
from ebmkit.config.plan import Plan
from ebmkit.core.stopping import Stopped, stoppable, unstoppable
from ebmkit.errors import DataError, DivergedError, EbmkitError, TrainingError
from ebmkit.report import OutputLog, say, say_facts
from ebmkit.run.description import describe
from ebmkit.run.inspection import Inspector
from ebmkit.run.outputs import Progress
from ebmkit.run.processes import Crew
from ebmkit.run.recorders import Recorders, Status, writing
from ebmkit.run.rollback import GuardedTraining
from ebmkit.run.saving import Checkpoints
from ebmkit.run.signals import EXIT_CODES, StopFlag
from ebmkit.storage.folder import RunFolder
from ebmkit.training.guard import Rollback
from ebmkit.training.loop import Report

__all__ = ["Session"]


@final
@attrs.frozen
class Session:
    """One process training one run; of several, all do the same and the one that leads writes.

    Attributes:
        plan: what is trained.
        folder: where it is written.
        training: the iterations.
        recorders: take their reports.
        checkpoints: that of them which saves, also when a signal comes.
        progress: that of them which speaks.
        crew: this process among the others.
        console: what the run says before and after.
        stop: whether a signal came.
        unheard: notes what could not be said.
    """

    plan: Plan
    folder: RunFolder
    training: GuardedTraining
    recorders: Recorders
    checkpoints: Checkpoints
    progress: Progress
    crew: Crew
    console: Console
    stop: StopFlag
    unheard: OutputLog

    def run(self, *, start: int) -> int:
        """Train to the end or a signal; the exit code."""
        self._announce(start)
        with self.crew.explaining(self.folder.name):
            done, received = self._recorded(start)
        return self._farewell(done, received)

    def _recorded(self, start: int) -> tuple[int, int]:
        """The iterations that are done at the end, and the signal that came; the recorders know the end."""
        status: Status = "failed"
        try:
            if self.crew.leads:
                self.recorders.restart(start)
            done, received = self._iterate(start)
            status = "stopped" if received and done < self.plan.run.iterations else "finished"
        except DivergedError:
            status = "diverged"
            raise
        finally:
            if self.crew.leads:
                self.recorders.close(status)
        return done, received

    def _iterate(self, start: int) -> tuple[int, int]:
        done, received = start, 0
        # Several processes agree after each iteration: one that left a chain would be waited for.
        alone = self.crew.world.size == 1

        def rolled_back(rollback: Rollback) -> None:
            nonlocal done
            done = rollback.to
            self._rolled_back(rollback)

        try:
            with stoppable(self.stop.requested) if alone else nullcontext():
                for report in self._train(start, rolled_back):
                    done = report.iteration
                    received = self.crew.largest(self.stop.received or 0)
                    with unstoppable():
                        self._record(report, last=received > 0)
                    if received:
                        break
        except Stopped:
            received = self.stop.received or 0
            self.checkpoints.save(done)
        return done, received

    def reports(self, start: int) -> Iterator[Report]:
        """Train as ``run``, report by report, in the loop of a program; left early, it saves what is done.

        Args:
            start: how many iterations are done.

        Raises:
            EbmkitError: what went wrong in training.
        """
        done, status = start, "failed"
        try:
            self.recorders.restart(start)
            for report in self._train(start, self._rolled_back):
                done = report.iteration
                self._record(report, last=False)
                yield report
            status = "finished"
        except GeneratorExit:
            status = "stopped"
            if not self.checkpoints.due(done):
                self.checkpoints.save(done)
            raise
        except DivergedError:
            status = "diverged"
            raise
        finally:
            self.recorders.close(cast(Status, status))

    def _record(self, report: Report, *, last: bool) -> None:
        """Hand a report to the recorders; what is saved is the same on all processes.

        Args:
            report: of an iteration.
            last: whether a signal ends the run after it.
        """
        saves = self.checkpoints.due(report.iteration)
        if saves or last or report.iteration == 1:
            self.crew.refuse_drift(self.training.experiment.schedule.state_dict())
        if self.recorders.gather(report.iteration):
            report = report.gathered()
        if self.crew.leads:
            self.recorders.record(report)
            if last and not saves:
                self.checkpoints.save(report.iteration)
            self.unheard.note(report.iteration)

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
            raise self._failed(iteration + 1, error) from error

    @property
    def _inspector(self) -> Inspector:
        """Of the experiment that is training now; a rollback replaces it."""
        return Inspector(self.plan, self.training.experiment)

    def _failed(self, iteration: int, error: Exception) -> TrainingError:
        place = self._inspector.where(error)
        return TrainingError(
            f"iteration {iteration} failed{place}: {type(error).__name__}: {error}\n"
            f"The last checkpoint is intact (ebmkit resume {self.folder.name}); "
            "EBMKIT_DEBUG=1 shows the traceback."
        )

    def _rolled_back(self, rollback: Rollback) -> None:
        """Forget what was recorded of the iterations that are done again, write down, and tell."""
        rollbacks = self.training.guard.rollbacks
        if self.crew.leads:
            self.recorders.restart(rollback.to)
            with writing(self.folder):
                self.folder.write_rollbacks([each._asdict() for each in rollbacks])
        target = f"iteration {rollback.to} (healthy)" if rollback.to else "the start"
        self.progress.say(
            f"! {rollback.reason}\n"
            f"  Nothing of it was saved. Back to {target} with new noise, rollback {len(rollbacks)}."
        )

    def _announce(self, start: int) -> None:
        run = self.plan.run
        begin = f"from iteration {start} to {run.iterations}" if start else f"{run.iterations} iterations"
        say(self.console, f"ebmkit {__version__} · run {self.folder.name} · {begin} · seed {run.seed}")
        say_facts(self.console, describe(self.plan, self.training.experiment))
        if self.crew.world.size > 1:
            shared = f"{self.crew.world.size}, each with its part of every batch"
            say_facts(self.console, [("processes", shared)])

    def _farewell(self, done: int, received: int) -> int:
        """Say how it ended; the exit code."""
        stopped = received > 0 and done < self.plan.run.iterations
        if stopped:
            message = f"saved iteration {done}; continue with: ebmkit resume {self.folder.name}"
        else:
            message = f"done: {done} iterations; samples, metrics and checkpoints are in {self.folder.path}"
        say(self.console, message)
        if self.crew.leads:
            self.unheard.note(done)
        return EXIT_CODES[received] if stopped else 0
