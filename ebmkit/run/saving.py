"""The recorder that a run needs: its checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import attrs

from ebmkit.run.recorders import Recorder, UnwritableError, free_megabytes
from ebmkit.run.rollback import GuardedTraining
from ebmkit.storage.best import Best, best_of, keep_best
from ebmkit.storage.capture import capture, expected_bytes
from ebmkit.storage.checkpoint import write_checkpoint
from ebmkit.storage.durable import sync
from ebmkit.storage.facts import Facts
from ebmkit.storage.folder import RunFolder
from ebmkit.training.loop import Report

__all__ = ["Checkpoints"]


@final
@attrs.define
class Checkpoints(Recorder):
    """Saves the whole state. The run ends where that fails: what is trained on would be lost."""

    folder: RunFolder
    training: GuardedTraining
    facts: Facts
    when: Callable[[int], bool]
    told: Callable[[int], None]
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
        with self._writing(iteration):
            guard, experiment = self.training.guard, self.training.experiment
            facts = attrs.evolve(self.facts, guard=guard.memory)
            checkpoint = capture(experiment, iteration=iteration, facts=facts)
            if self.folder.metrics.exists():  # a resumed run makes only later lines again
                sync(self.folder.metrics)
            keep, protected = self.training.plan.run.keep, guard.protected
            write_checkpoint(self.folder.checkpoints, checkpoint, keep=keep, protected=protected)
        self.told(iteration)

    def best(self, figure: Best) -> bool:
        """Save this iteration and keep it as the best one, if its figure is better than that of the one kept.

        For a recorder that is called before this one, in its ``record``. What is kept survives rotation and
        rollbacks; a resumed run never goes on from it.

        Args:
            figure: of the iteration that is being recorded.

        Returns:
            whether it is kept.

        Raises:
            TrainingError: the disk is full or failing.
        """
        if not figure.beats(best_of(self.folder.checkpoints)):
            return False
        self.save(figure.iteration)  # what stands under its number may be of another course
        with self._writing(figure.iteration):
            return keep_best(self.folder.checkpoints, figure)

    @contextmanager
    def _writing(self, iteration: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            size = expected_bytes(self.training.experiment) / 1e6
            raise UnwritableError(
                f"cannot save iteration {iteration} in {self.folder.checkpoints}: {error.strerror} "
                f"(it takes about {size:.0f} MB, {free_megabytes(self.folder.path)} are free); "
                "the checkpoint before it is intact"
            ) from error
