"""Signals that end a run, sent for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ebmkit.run.signals import EXIT_CODES, catch_signals
from ebmkit.storage.checkpoint import newest_checkpoint
from tests.processes import ONE_THREAD, finish
from tests.run.test_processes import endless
from tests.run.test_resume import metrics, wait_for

RunFile = Callable[[str], Path]
SAVED = (signal.SIGHUP, signal.SIGUSR2, signal.SIGXCPU)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """What the signals do by default, here; afterwards, what they did before."""
    before = {number: signal.getsignal(number) for number in EXIT_CODES}
    for number in EXIT_CODES:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", EXIT_CODES)
def test_each_is_caught_meanwhile_and_does_afterwards_what_it_did(number: int) -> None:
    with catch_signals() as flag:
        flag.keep()
        os.kill(os.getpid(), number)
        assert flag.received == number
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("number", EXIT_CODES)
def test_one_that_is_ignored_stays_so(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)
    with catch_signals() as flag:
        os.kill(os.getpid(), number)  # before there is anything to keep, it would end the process
        assert flag.received is None
    assert signal.getsignal(number) is signal.SIG_IGN


def test_what_batch_systems_and_terminals_send_ends_a_run_saved(run_file: RunFile, tmp_path: Path) -> None:
    file = run_file("coopnets")
    runs = {number: tmp_path / signal.Signals(number).name for number in SAVED}
    command = [sys.executable, "-m", "ebmkit", "run", str(file), "--set", "run.iterations=1000000"]
    started = {
        number: subprocess.Popen(
            [*command, "--set", f"run.output={folder}"],
            cwd=tmp_path,
            env=ONE_THREAD,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, folder in runs.items()
    }
    for number, folder in runs.items():
        wait_for(folder / "samples/revised-0000003.png", seconds=120)
        started[number].send_signal(number)
    for folder, (code, out, err) in zip(runs.values(), finish(list(started.values())), strict=True):
        assert (code, err) == (75, "")
        assert f"saved iteration {newest_checkpoint(folder / 'checkpoints')[0].iteration};" in out


def test_a_run_under_nohup_outlives_its_terminal(run_file: RunFile, tmp_path: Path) -> None:
    command = ["nohup", sys.executable, "-m", "ebmkit", "run", str(run_file("coopnets"))]
    process = subprocess.Popen(
        [*command, "--set", "run.iterations=1000000"],
        cwd=tmp_path,
        env=ONE_THREAD,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    run = tmp_path / "runs/coopnets"
    wait_for(run / "samples/revised-0000003.png", seconds=120)
    process.send_signal(signal.SIGHUP)
    done = metrics(run)[-1]["iteration"]
    wait_for(run / f"samples/revised-{(done // 3 + 3) * 3:07}.png", seconds=120)
    process.terminate()
    ((code, out, _),) = finish([process])
    assert (code, "saved iteration" in out) == (75, True)


@pytest.mark.slow
def test_a_closed_terminal_ends_all_processes_of_a_training_saved(run_file: RunFile, tmp_path: Path) -> None:
    processes = endless(run_file, tmp_path)
    processes[1].send_signal(signal.SIGHUP)
    leader, other = finish(processes)
    assert (leader[0], other[0]) == (75, 75)
    saved = newest_checkpoint(tmp_path / "runs/coopnets/checkpoints")[0].iteration
    assert f"saved iteration {saved};" in leader[1]
