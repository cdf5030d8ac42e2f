from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebmkit.report.status import MATTERS, RunStatus, duration, read_status
from ebmkit.storage.folder import RunFolder
from tests.run.test_resume import wait_for
from tests.run.test_rollback import plant  # noqa: F401 - a fixture

RunFile = Callable[[str], Path]


def test_a_run_is_running_until_it_is_killed(run_file: RunFile, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ebmkit", "run", str(run_file("coopnets"))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    folder = RunFolder(tmp_path / "runs/coopnets")
    with subprocess.Popen(
        [*command, "--set", "run.iterations=1000000"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(folder.grid("revised", 3), seconds=120)
            running = read_status(folder)
        finally:
            process.kill()
    assert running.state == "running"
    assert running.rate is not None
    assert running.remaining is not None
    assert read_status(folder).state == "killed"


def status(*lines: dict[str, Any], done: int = 10, total: int | None = 30, **stages: float) -> RunStatus:
    return RunStatus("it", "running", 1.0, done, total, [], None, None, 0, stages, lines)


def test_what_remains_is_iterations_by_the_seconds_of_all_stages() -> None:
    found = status(revision=0.25, learning=0.15)
    assert found.rate == pytest.approx(2.5)
    assert found.remaining == pytest.approx(20 / 2.5)
    for unknown in (status(), status(total=None, revision=0.5), status(done=30, revision=0.5)):
        assert unknown.remaining is None


def test_figures_that_matter_come_first_in_their_order_and_others_only_if_all_are_asked_for() -> None:
    line = {"iteration": 1, "seconds_revision": 0.1, "mine": 1.0, "revision_acceptance": 0.5}
    line |= {"energy_gap": 3.0, "energy_observed": 2.0, "loss_energy": float("nan")}
    found = status(line)
    assert MATTERS.index("energy_observed") < MATTERS.index("energy_gap") < MATTERS.index("acceptance")
    assert found.names(every=False) == ["energy_observed", "energy_gap", "revision_acceptance"]
    assert found.names(every=True) == [*found.names(every=False), "mine"]
    assert status({"iteration": 1, "mine": 1.0}).names(every=False) == ["mine"]  # better than nothing


def test_a_curve_has_the_finite_values_in_their_order() -> None:
    values = [1.0, float("nan"), 2, "x", None, float("inf"), -3.0]
    assert status(*({"a": value} for value in values), {}).curve("a") == [1.0, 2, -3.0]


@pytest.mark.usefixtures("exported")
def test_the_time_of_a_finished_run_and_of_its_last_save_is_since_they_were_written() -> None:
    folder = RunFolder(Path("runs/coopnets"))
    ended = folder.ended.stat().st_mtime
    found = read_status(folder, now=ended + 100)
    assert (found.state, found.seconds, found.done, found.total) == ("finished", 100.0, 6, 6)
    assert found.saved_seconds is not None
    assert 100 <= found.saved_seconds < 400  # it was saved before it ended
    assert read_status(folder, now=ended - 100).seconds == 0.0  # by another machine's clock
    assert list(found.stages.values()) == sorted(found.stages.values(), reverse=True)


def test_two_units_say_how_long_and_the_second_is_left_out_where_it_is_none() -> None:
    assert [duration(seconds) for seconds in (0, 59.4, 59.6, 60, 3600, 3659, 86400, 90000)] == [
        *("0 s", "59 s", "1 min", "1 min", "1 h", "1 h", "1 d", "1 d 1 h")
    ]
