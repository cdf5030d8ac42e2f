"""What watches a training: recorders take the reports that they ask for, and none can stop the training."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, final

import attrs

from ebmkit.errors import EndedBySignal, TrainingError
from ebmkit.messages.quoting import shortened
from ebmkit.storage.folder import RunFolder
from ebmkit.training.loop import Report

__all__ = [
    "Every",
    "Figures",
    "Recorder",
    "Recorders",
    "Status",
    "UnwritableError",
    "free_megabytes",
    "writing",
]

Status: TypeAlias = Literal["finished", "stopped", "diverged", "failed"]
"""How a training ended: with its last iteration, by a signal, or by an error."""

_LONGEST = 300
"""Characters of what a recorder raised: it may repeat a value of any length."""


class Recorder(Protocol):
    """Takes reports.

    Every process of a training has the same ones and asks them when they are due; the one that leads calls
    their other methods.

    Attributes:
        name: in messages.
        gathers: whether ``record`` looks at the examples, which are gathered from all processes for it.
        vital: whether a training is worth nothing without it, so that its failure ends the run.
    """

    name: str
    gathers: bool = True
    vital: bool = False

    def due(self, iteration: int) -> bool:
        """Whether to record this iteration: a function of its number alone, the same on all processes."""
        ...

    def record(self, report: Report) -> None:
        """Take in an iteration that is due."""
        ...

    def restart(self, iteration: int) -> None:
        """The training goes on from here, at its start and after a rollback: forget what was later."""
        del iteration

    def close(self, status: Status) -> None:
        """The training has ended."""
        del status


@final
@attrs.define
class Recorders:
    """Several as one. What one of them raises is reported once, and that one is left out from then on.

    A file that cannot be written ends the run all the same (``writing``), and so does a failing recorder that
    is vital: what is trained on would be lost.

    Attributes:
        members: in the order in which they are called.
        tell: says a sentence to people.
    """

    members: Sequence[Recorder]
    tell: Callable[[str], None]
    _left_out: set[int] = attrs.field(factory=set, init=False)

    def gather(self, iteration: int) -> bool:
        """Whether one that is due looks at the examples of all processes."""
        return any(each.gathers and each.due(iteration) for each in self.members)

    def record(self, report: Report) -> None:
        """Hand a report to those that are due.

        Raises:
            TrainingError: a file of the run folder cannot be written.
        """
        for each in self.members:
            if each.due(report.iteration):
                self._call(each, each.record, report)

    def restart(self, iteration: int) -> None:
        """Tell all where the training goes on.

        Raises:
            TrainingError: a file of the run folder cannot be written.
        """
        for each in self.members:
            self._call(each, each.restart, iteration)

    def close(self, status: Status) -> None:
        """Tell all that the training has ended; what one raises then is reported, and ends nothing."""
        for each in self.members:
            with self._kept_apart(each, vital=False):
                each.close(status)

    def _call(self, recorder: Recorder, method: Callable[[Any], None], argument: object) -> None:
        if id(recorder) not in self._left_out:
            with self._kept_apart(recorder, vital=recorder.vital):
                method(argument)

    @contextmanager
    def _kept_apart(self, recorder: Recorder, *, vital: bool) -> Iterator[None]:
        try:
            yield
        except (UnwritableError, EndedBySignal):
            raise
        except (Exception, SystemExit) as error:
            if vital:
                raise
            self._leave_out(recorder, error)

    def _leave_out(self, recorder: Recorder, error: BaseException) -> None:
        if id(recorder) in self._left_out:
            return
        self._left_out.add(id(recorder))
        what = shortened(f"{type(error).__name__}: {error}", _LONGEST)
        self.tell(f"warning: {recorder.name}: {what}\n  It is left out from here on; the training goes on.")


@final
@attrs.frozen
class Every:
    """The iterations at which something is due: each of a period's, and the last.

    Attributes:
        period: iterations from one to the next.
        last: the number of iterations of the run.
        first: whether the first iteration is one of them too.

    Examples:
        >>> every = Every(4, 10, first=True)
        >>> [iteration for iteration in range(1, 11) if every(iteration)]
        [1, 4, 8, 10]
    """

    period: int
    last: int
    first: bool = False

    def __call__(self, iteration: int) -> bool:
        """Whether it is due after this many iterations."""
        return iteration % self.period == 0 or iteration == self.last or (self.first and iteration == 1)


@final
@attrs.define
class Figures:
    """The figures of the newest report, computed once for all recorders that ask for them."""

    _report: Report | None = None
    _known: Mapping[str, float] = attrs.field(factory=dict)

    def of(self, report: Report) -> Mapping[str, float]:
        """Every figure of a report, with what was added to it."""
        if report is not self._report:
            self._report, self._known = report, report.metrics()
        return self._known

    def add(self, report: Report, figures: Mapping[str, float]) -> None:
        """Let the recorders that come later find these too, among them the metrics log where it is due."""
        self._known = {**self.of(report), **figures}


class UnwritableError(TrainingError):
    """A file of the run folder cannot be written."""


@contextmanager
def writing(folder: RunFolder) -> Iterator[None]:
    """Make what the disk refuses an error that says how to go on; ``Checkpoints`` has one of its own.

    Raises:
        TrainingError: a file of the run folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise UnwritableError(
            f"cannot write {error.filename or folder.path}: {error.strerror} "
            f"({free_megabytes(folder.path)} are free); the last checkpoint is "
            f"intact: ebmkit resume {folder.name}"
        ) from error


def free_megabytes(path: Path) -> str:
    """The room on the disk of a folder, for messages."""
    return f"{shutil.disk_usage(path).free / 1e6:.0f} MB"
