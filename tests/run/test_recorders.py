"""What watches a training is called when it is due, and whatever it does, the training is the same."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from rich.console import Console

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.errors import DivergedError, EndedBySignal, TrainingError
from ebmkit.registry.discovery import Registry
from ebmkit.run import start
from ebmkit.run.recorders import Every, Figures, Recorder, Recorders, Status
from ebmkit.run.session import Session
from ebmkit.run.signals import StopFlag
from ebmkit.run.start import start_run
from ebmkit.storage.folder import RunFolder
from ebmkit.training.loop import Report
from tests.run.test_resume import final_state, metrics, same_bits
from tests.run.test_rollback import plant  # noqa: F401 - a fixture

RunFile = Callable[[str], Path]
Train = Callable[..., int]


@attrs.define
class Watcher(Recorder):
    """Writes down what it is called with, and raises where it should."""

    period: int = 1
    fails: tuple[type[BaseException], str] | None = None
    calls: list[tuple[str, object]] = attrs.field(factory=list)
    name = "the watcher"

    def due(self, iteration: int) -> bool:
        return iteration % self.period == 0

    def _call(self, method: str, argument: object) -> None:
        self.calls.append((method, argument))
        if self.fails is not None and self.fails[1] == method:
            raise self.fails[0]("out of order")

    def record(self, report: Report) -> None:
        self._call("record", report.iteration)

    def restart(self, iteration: int) -> None:
        self._call("restart", iteration)

    def close(self, status: Status) -> None:
        self._call("close", status)


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def train(run_file: RunFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: io.StringIO) -> Train:
    """Train the tiny run with one more recorder, called before the others."""
    monkeypatch.chdir(tmp_path)
    original = start.session_of

    def trained(name: str, watcher: Watcher | None, *sets: str, stop: StopFlag | None = None) -> int:
        def watched(*arguments: object, **options: object) -> Session:
            session = original(*arguments, **options)  # type: ignore[arg-type]
            if watcher is not None:
                session.recorders.members = [watcher, *session.recorders.members]
            return session

        monkeypatch.setattr(start, "session_of", watched)
        plan = make_plan(read_document(run_file("coopnets"), sets), Registry.discover())
        return start_run(plan, RunFolder(Path(name)), Console(file=output), stop=stop)

    return trained


def test_a_recorder_is_called_when_it_is_due_and_told_how_it_ended(train: Train) -> None:
    watcher = Watcher(period=2)
    assert train("run", watcher) == 0
    assert watcher.calls == [
        ("restart", 0),
        *(("record", iteration) for iteration in (2, 4, 6)),
        ("close", "finished"),
    ]


def test_a_rollback_restarts_every_recorder(
    train: Train,
    plant: Callable[..., None],  # noqa: F811
) -> None:
    plant((6, 0))
    watcher = Watcher()
    assert train("run", watcher, "guard.healthy_after=1") == 0
    recorded = [argument for method, argument in watcher.calls if method == "record"]
    assert recorded == [1, 2, 3, 4, 5, 5, 6]  # back to 4
    assert watcher.calls[6] == ("restart", 4)


def test_a_diverged_run_says_so_to_its_recorders(
    train: Train,
    plant: Callable[..., None],  # noqa: F811
) -> None:
    plant((6, 0))
    watcher = Watcher()
    with pytest.raises(DivergedError):
        train("run", watcher, "guard.rollbacks=0")
    assert watcher.calls[-1] == ("close", "diverged")


@pytest.mark.parametrize(
    ("fault", "method"),
    [(ValueError, "restart"), (OSError, "record"), (TrainingError, "record"), (SystemExit, "close")],
)
def test_whatever_a_recorder_raises_is_told_once_and_changes_no_bit(
    fault: type[BaseException], method: str, train: Train, output: io.StringIO
) -> None:
    watcher = Watcher(fails=(fault, method))
    assert train("watched", watcher, "run.iterations=3") == 0
    told = output.getvalue()
    assert told.count(f"warning: the watcher: {fault.__name__}: out of order") == 1
    assert [called for called, _ in watcher.calls].count(method) == 1
    assert train("alone", None, "run.iterations=3") == 0
    assert same_bits(final_state(Path("watched")), final_state(Path("alone")))
    assert metrics(Path("watched")) == metrics(Path("alone"))


def test_a_second_ctrl_c_while_one_records_ends_the_process(train: Train) -> None:
    with pytest.raises(EndedBySignal):
        train("run", Watcher(fails=(EndedBySignal, "record")))


def test_a_vital_recorder_ends_the_run(train: Train) -> None:
    watcher = Watcher(fails=(ValueError, "record"))
    watcher.vital = True
    with pytest.raises(ValueError, match="out of order"):
        train("run", watcher)
    assert watcher.calls[-1] == ("close", "failed")


def test_a_signal_stops_after_the_iteration_and_saves_it(train: Train, tmp_path: Path) -> None:
    stop = StopFlag()

    @attrs.define
    class Stopping(Watcher):
        def record(self, report: Report) -> None:
            if report.iteration == 3:
                stop(signal.SIGTERM, None)

    watcher = Stopping()
    assert train("run", watcher, stop=stop) == 75
    assert watcher.calls[-1] == ("close", "stopped")
    assert (tmp_path / "run/checkpoints/iteration-0000003").is_dir()


def test_figures_are_computed_once_and_can_be_added_to(train: Train) -> None:
    asked = []

    class Counted:
        iteration = 1

        def metrics(self) -> dict[str, float]:
            asked.append(1)
            return {"a": 1.0}

    report, figures = Counted(), Figures()
    assert figures.of(report) == {"a": 1.0}  # type: ignore[arg-type]
    figures.add(report, {"b": 2.0})  # type: ignore[arg-type]
    assert figures.of(report) == {"a": 1.0, "b": 2.0}  # type: ignore[arg-type]
    assert asked == [1]
    assert figures.of(Counted()) == {"a": 1.0}  # type: ignore[arg-type]


def test_a_recorder_that_is_left_out_is_still_asked_so_that_all_processes_gather() -> None:
    said: list[str] = []
    failing = Watcher(fails=(ValueError, "restart"))
    group = Recorders([failing], said.append)
    group.restart(0)
    assert group.gather(1)
    assert len(said) == 1


def test_the_last_iteration_is_always_due() -> None:
    assert [each for each in range(1, 8) if Every(3, 7)(each)] == [3, 6, 7]
