"""Who may write into a run folder: one process at a time, and nobody is blocked by a dead one."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import re
import resource
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.errors import RunDirectoryError, RunDirectoryInUseError
from ebmkit.report import MetricsLog
from ebmkit.storage.folder import RunFolder, find_run
from tests.conftest import Ebmkit
from tests.run.test_resume import metrics
from tests.run.test_rollback import sets

RunFile = Callable[[str], Path]


def test_a_held_folder_is_refused_with_who_where_and_since_when(tmp_path: Path) -> None:
    with RunFolder(tmp_path).locked():
        with pytest.raises(RunDirectoryInUseError) as caught, RunFolder(tmp_path).locked():
            pass
        assert f"process {os.getpid()} on {platform.node()} since 2" in str(caught.value)
    with RunFolder(tmp_path).locked():
        pass


def test_without_locks_a_living_process_holds_and_a_dead_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*arguments: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuses)
    with subprocess.Popen(["true"]) as dead:
        pass
    for holder, blocks in ((os.getppid(), True), (dead.pid, False)):
        (tmp_path / ".lock").write_text(f"{holder} on {platform.node()} since yesterday")
        if blocks:
            with pytest.raises(RunDirectoryInUseError, match="yesterday"), RunFolder(tmp_path).locked():
                pass
        else:
            with RunFolder(tmp_path).locked():
                pass


def test_a_folder_on_a_disk_that_takes_nothing_is_refused_before_anything_is_trained(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(RunDirectoryError, match="cannot write the run folder"):
            RunFolder(Path("runs/full")).create()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    outcome = ebmkit("run", file, "--set", "run.output=/proc/run")
    assert outcome.code == 2
    assert "cannot write the run folder /proc/run" in outcome.err


def test_a_disk_that_fills_up_in_training_is_told_and_costs_nothing(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:  # the metrics outgrow it long before the first save
        seldom = sets("run.samples_every=40", "run.checkpoint_every=40")
        outcome = ebmkit("run", file, *sets("run.iterations=40"), *seldom)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcome.code == 3
    assert "cannot write runs/coopnets: File too large" in outcome.err
    assert "ebmkit resume coopnets" in outcome.err
    assert ebmkit("resume", "coopnets", *sets("run.iterations=12")).code == 0
    assert [line["iteration"] for line in metrics(Path("runs/coopnets"))] == [*range(1, 13)]


def test_what_a_crash_left_in_the_metrics_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    kept = b'{"iteration": 1, "a": 2}\n{"iteration": 2}\n'
    broken = (b'{"iteration": 3}\n', b"\0" * 100 + b"}\n", b"[1]\n", b'{"a": 1}\n', b'{"iteration": "x"}\n')
    file.write_bytes(kept + b"".join(broken) + b'{"iteration": 1')
    log = MetricsLog(file, after=2)
    assert file.read_bytes() == kept
    log.append(3, {"b": 0.5})
    assert file.read_bytes() == kept + b'{"iteration": 3, "b": 0.5}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_what_a_kill_before_the_first_save_leaves_blocks_nobody(run_file: RunFile, ebmkit: Ebmkit) -> None:
    folder = Path("runs/coopnets")
    folder.mkdir(parents=True)
    for name in (".lock", ".probe-1", ".config.toml-1"):
        (folder / name).touch()
    assert ebmkit("run", run_file("coopnets"), "--set", "run.iterations=1").code == 0


def test_too_little_room_is_told_before_it_runs_out(tmp_path: Path) -> None:
    folder, free = RunFolder(tmp_path), shutil.disk_usage(tmp_path).free
    assert folder.room_for(free // 100, keep=2) == ""
    assert "2 checkpoints to keep" in folder.room_for(free // 2, keep=2)
    assert folder.room_for(free // 4, keep=2) == ""
    assert "2 checkpoints to keep, the best one and" in folder.room_for(int(free / 3.5), keep=2, best=True)
    with pytest.raises(RunDirectoryError, match="too full to save anything"):
        folder.room_for(free * 2, keep=1)


@pytest.mark.parametrize("output", ["runs/experts/first", "elsewhere/second", "runs/two words"])
def test_every_message_calls_a_run_as_the_next_command_finds_it(
    output: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    done = ebmkit("run", file, "--set", f"run.output={output}", "--set", "run.iterations=1")
    again = ebmkit("run", file, "--set", f"run.output={output}")
    (name,) = shlex.split(re.search(r"ebmkit resume (.*) goes on", again.err)[1])  # type: ignore[index]
    assert (done.code, again.code) == (0, 2)
    finished = ebmkit("resume", name)
    assert (finished.code, "1/1 iterations are done" in finished.out) == (0, True)
    if output.startswith("runs"):
        assert ebmkit("resume").out == finished.out
        assert "did you mean" in ebmkit("resume", f"{name}s").err


def test_of_many_runs_the_newest_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(30):
        folder = tmp_path / "runs" / f"run{number}"
        folder.mkdir(parents=True)
        (folder / "config.toml").touch()
        os.utime(folder / "config.toml", (number, number))
    with pytest.raises(RunDirectoryError, match=r"runs here: run29, run28, .*, run20, …$"):
        find_run("elsewhere")
