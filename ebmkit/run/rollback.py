"""Trains on through divergence: back to a trusted checkpoint, with new noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import final

import attrs
import torch
from torch import Tensor

from ebmkit.config.plan import Plan
from ebmkit.errors import CheckpointError, DivergedError
from ebmkit.run.build import build_experiment
from ebmkit.run.processes import Crew
from ebmkit.storage.capture import restore
from ebmkit.storage.checkpoint import Checkpoint, read_checkpoint
from ebmkit.storage.rotation import checkpoint_folder, withdraw_after
from ebmkit.training.guard import Guard, Rollback
from ebmkit.training.loop import Experiment, Report, train

__all__ = ["GuardedTraining"]

_ADVICE = """\
Try a smaller energy.optimizer.lr, a smaller revision.step_size (with a Gaussian reference below 2 s) or more
revision.steps, in a new run; or resume with rollbacks that make them smaller: --set guard.rate_factor=0.5
--set guard.step_factor=0.7"""


@final
@attrs.define
class GuardedTraining:
    """``train()`` under a guard: a diverged iteration is never reported, and the training goes back.

    A rollback restores the newest trusted checkpoint (the start where there is none), withdraws the
    newer ones, and goes on with noise of ``(seed, number of rollbacks, iteration)``; by choice with
    smaller steps and rates (``[guard]``). The table matters when a training diverges and not before: a
    resumed run may bring another one.

    Attributes:
        plan: of the run, as its file says.
        checkpoints: folder of them.
        experiment: what is training now; a rollback replaces it.
        guard: its memory; likewise.
        crew: the processes; all decide alike, and the one that leads withdraws.
        rebuild: makes the experiment anew after these rollbacks; None builds it from the plan.
    """

    plan: Plan
    checkpoints: Path
    experiment: Experiment
    guard: Guard
    crew: Crew
    rebuild: Callable[[Sequence[Rollback]], Experiment] | None = None

    def resume(self, checkpoint: Checkpoint) -> None:
        """Put a checkpoint in place of the start, with the rollbacks there were before it.

        Raises:
            CheckpointError: it does not fit the plan.
        """
        guard = Guard.remembering(self.guard.settings, checkpoint.facts.guard)
        if guard.rollbacks:
            self._build(guard.rollbacks)
        restore(checkpoint, self.experiment)
        self.guard = guard

    def reports(self, start: int, *, on_rollback: Callable[[Rollback], None]) -> Iterator[Report]:
        """The reports of the iterations that went well; after a rollback they begin again at its target.

        Args:
            start: how many iterations are done.
            on_rollback: called after each rollback, before the next report.

        Raises:
            DivergedError: once more than ``[guard]`` allows.
        """
        done = start
        while True:
            try:
                for report in train(self.experiment, iterations=self.plan.run.iterations, start=done):
                    self._check(report)
                    done = report.iteration
                    yield report
            except DivergedError as error:
                rollback = self._roll_back(done + 1, error)
                on_rollback(rollback)
                done = rollback.to
            else:
                return

    def refuse_non_finite(self) -> None:
        """Look through everything that a checkpoint would hold.

        Raises:
            DivergedError: a number is not finite.
        """
        broken = [name for name, tensor in _state(self.experiment) if not torch.isfinite(tensor).all()]
        if self.crew.largest(len(broken)):
            where = broken[0] if broken else "a tensor of another process"
            raise DivergedError(f"{where} is no longer finite")

    def _check(self, report: Report) -> None:
        self.guard.check(report)
        saved = report.iteration % self.plan.run.checkpoint_every == 0
        judged = self.plan.evaluation.every and report.iteration % self.plan.evaluation.every == 0
        if saved or judged:  # the best that was judged is saved too
            self.refuse_non_finite()
        if saved:
            self.guard.saved(report.iteration)

    def _roll_back(self, iteration: int, error: DivergedError) -> Rollback:
        """Put a trusted state in place of the diverged one."""
        checkpoint = self.crew.agreed(self._newest_trusted)
        if not self.guard.may_return(iteration):
            raise self._giving_up(error, checkpoint) from error
        to = 0 if checkpoint is None else checkpoint.iteration
        rollbacks = [*self.guard.rollbacks, self._rollback(iteration, to, error)]
        self._withdraw_after(to)
        self._build(rollbacks)
        if checkpoint is not None:
            restore(checkpoint, self.experiment)
        memory = None if checkpoint is None else checkpoint.facts.guard
        self.guard = Guard.returning(self.guard.settings, memory, rollbacks)
        return rollbacks[-1]

    def _rollback(self, iteration: int, to: int, error: DivergedError) -> Rollback:
        settings = self.guard.settings
        return Rollback(iteration, to, str(error), settings.step_factor, settings.rate_factor)

    def _build(self, rollbacks: Sequence[Rollback]) -> None:
        if self.rebuild is not None:
            self.experiment = self.rebuild(rollbacks)
            return
        source = self.experiment.batches.source
        self.experiment = build_experiment(self.plan, source=source, rollbacks=rollbacks)

    def _withdraw_after(self, iteration: int) -> None:
        if self.crew.leads:
            withdraw_after(self.checkpoints, iteration)

    def _newest_trusted(self) -> Checkpoint | None:
        """The checkpoint to go back to; where all newer ones failed, the one that was gone back to last."""
        used = [rollback.to for rollback in self.guard.rollbacks[-1:]]
        for iteration in (*reversed(self.guard.trusted), *used):
            try:
                return read_checkpoint(checkpoint_folder(self.checkpoints, iteration))
            except CheckpointError:
                continue
        return None

    def _giving_up(self, error: DivergedError, checkpoint: Checkpoint | None) -> DivergedError:
        settings, tried = self.guard.settings, len(self.guard.rollbacks)
        lines = [str(error)]
        if tried:
            lines.append(
                f"Going back did not help: {settings.rollbacks} times in {settings.window} iterations."
            )
        if checkpoint is None:
            lines.append("No checkpoint was healthy for long enough to go back to.")
        else:
            self._withdraw_after(checkpoint.iteration)
            lines.append(
                f"The last healthy checkpoint, of iteration {checkpoint.iteration}, is the newest now."
            )
        return DivergedError("\n".join([*lines, _ADVICE]))


def _state(experiment: Experiment) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a checkpoint, where it is, with a name for people."""
    yield from experiment.schedule.state_dict().items()
    for part, learner in experiment.learners.items():
        for index, slots in learner.optimizer.state_dict()["state"].items():
            for name, value in slots.items():
                if isinstance(value, Tensor):
                    yield f"{name} {index} of the optimizer of the {part}", value
        if learner.average is not None:
            for name, value in learner.average.values.items():
                yield f"the averaged {name} of the {part}", value
