"""The recorder that a run needs: its checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import attrs

from ebmkit.run.recorders import Recorder, UnwritableError, free_megabytes
from ebmkit.run.rollback import GuardedTraining
from ebmkit.storage.checkpoint import capture, expected_bytes, write_checkpoint
from ebmkit.storage.durable import sync
from ebmkit.storage.folder import RunFolder
from ebmkit.training.loop import Report

__all__ = ["Checkpoints"]


@final
@attrs.define
class Checkpoints(Recorder):
    """Saves the whole state. The run ends where that fails: what is trained on would be lost."""

    folder: RunFolder
    training: GuardedTraining
    facts: Mapping[str, Any]
    when: Callable[[int], bool]
    name = "the checkpoints"
    gathers = False
    vital = True

    def due(self, iteration: int) -> bool:
        """As often as ``[run]`` says."""
        return self.when(iteration)

    def record(self, report: Report) -> None:
        """Save the state after this iteration."""
        self.save(report.iteration)

    def save(self, iteration: int) -> None:
        """Write the checkpoint of this iteration, which is the one the experiment is at.

        Raises:
            TrainingError: the disk is full or failing.
        """
        guard, experiment = self.training.guard, self.training.experiment
        try:
            checkpoint = capture(experiment, iteration=iteration, facts={**self.facts, **guard.facts()})
            if self.folder.metrics.exists():  # a resumed run makes only later lines again
                sync(self.folder.metrics)
            keep, protected = self.training.plan.run.keep, guard.protected
            write_checkpoint(self.folder.checkpoints, checkpoint, keep=keep, protected=protected)
        except OSError as error:
            raise UnwritableError(
                f"cannot save iteration {iteration} in {self.folder.checkpoints}: {error.strerror} "
                f"(it takes about {expected_bytes(experiment) / 1e6:.0f} MB, "
                f"{free_megabytes(self.folder.path)} are free); the checkpoint before it is intact"
            ) from error
