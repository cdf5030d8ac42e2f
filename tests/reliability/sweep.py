"""Kills a save, or fails it, at every one of its calls: ``python -m tests.reliability.sweep [SAVER ...]``.

A process that has imported everything forks a child for each call. strace is attached to the child, which
then saves iteration 4 where iteration 3 is saved already; strace kills it at that call, or makes the call
fail. Afterwards whole iterations, 3 or 4, must be loadable.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from tests.reliability.saver import SAVERS, load, save

CALLS = "trace=%file,%desc"
MODES = ("signal=SIGKILL", "error=ENOSPC", "error=EIO")


class Call(NamedTuple):
    """One system call of a save: its name, which of that name it is, and its arguments."""

    name: str
    which: int
    arguments: str


class Outcome(NamedTuple):
    """What one injection left: the child's exit status and the newest whole iteration, 0 for none."""

    call: Call
    mode: str
    status: int
    loaded: int

    @property
    def lost(self) -> bool:
        """Nothing whole is left."""
        return self.loaded not in (3, 4)

    @property
    def lied(self) -> bool:
        """The save returned as if done, and is not there."""
        return self.status == 0 and self.loaded != 4


def child_under_strace(work: Callable[[], None], *options: str) -> int:
    """Fork, attach strace with these options, do the work in the child; its exit status, -9 if killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.kill(os.getpid(), signal.SIGSTOP)
            work()
            status = 0
        finally:
            os._exit(status)
    os.waitpid(child, os.WUNTRACED)
    command = ["strace", "-q", "-f", "-y", "-s", "200", "-p", str(child), *options]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as strace:
        while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text():
            if strace.poll() is not None:
                break
            time.sleep(0.002)
        os.kill(child, signal.SIGCONT)
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def traced(folder: Path, how: str) -> list[Call]:
    """Every call of one save, in order."""
    log = folder.with_name("trace")
    child_under_strace(lambda: save(how, folder, 4), "-e", CALLS, "-o", str(log))
    seen: Counter[tuple[str, str]] = Counter()
    calls = []
    for line in log.read_text().splitlines():
        found = re.match(r"(\d+) +(\w+)\((.*)", line)
        if found:
            seen[found[1], found[2]] += 1
            calls.append(Call(found[2], seen[found[1], found[2]], found[3]))
    return calls


def sweep(how: str, *, modes: Sequence[str] = MODES, names: Sequence[str] = ()) -> Iterator[Outcome]:
    """Inject every mode at every call of a save (of these names, if any are given)."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        base = root / "base"
        base.mkdir()
        save(how, base, 3)
        calls = traced(Path(shutil.copytree(base, root / "traced")), how)
        for mode in modes:
            for call in calls:
                if names and call.name not in names:
                    continue
                folder = Path(shutil.copytree(base, root / "case"))
                inject = f"inject={call.name}:{mode}:when={call.which}"
                status = child_under_strace(
                    lambda at=folder: save(how, at, 4), "-e", inject, "-o", "/dev/null"
                )
                yield Outcome(call, mode, status, load(how, folder))
                shutil.rmtree(folder)


def warm(how: str) -> None:
    """Import what saving and loading import, so that the calls of a save are its own."""
    with tempfile.TemporaryDirectory() as name:
        save(how, Path(name), 1)
        load(how, Path(name))


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(f"{'saver':<14}{'injected':<16}{'points':>8}{'lost':>8}{'said saved, was not':>22}")  # noqa: T201
    for saver in sys.argv[1:] or SAVERS:
        warm(saver)
        for mode in MODES:
            outcomes = list(sweep(saver, modes=[mode]))
            lost, lied = (sum(getattr(each, name) for each in outcomes) for name in ("lost", "lied"))
            print(f"{saver:<14}{mode:<16}{len(outcomes):>8}{lost:>8}{lied:>22}", flush=True)  # noqa: T201
