"""Kills and signals at random moments of a real run: ``python -m tests.reliability.interruptions``.

Every life of the run is a forked process that calls the command itself; what it says goes to a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import torch

from ebmkit.checkpoint import newest_checkpoint
from ebmkit.cli import main
from tests.conftest import RUN_FILES, write_images

ITERATIONS = 800


def begin(folder: Path, *arguments: str) -> int:
    """Start ``ebmkit ARGUMENTS`` in a folder; its process."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.chdir(folder)
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = ["ebmkit", *arguments]
        main()
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except BaseException:  # noqa: BLE001 - a child must end here whatever happens
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def end(process: int) -> int:
    """Wait for a process: its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def digest(run: Path) -> str:
    """SHA-256 over weights, optimizers, chains and every logged figure but the seconds."""
    found = hashlib.sha256()
    for file, tensors in sorted(newest_checkpoint(run / "checkpoints")[0].files.items()):
        for name, value in sorted(tensors.items()):
            found.update(f"{file}/{name}".encode() + value.contiguous().numpy().tobytes())
    for line in (run / "metrics.jsonl").read_text().splitlines():
        figures = {key: value for key, value in json.loads(line).items() if not key.startswith("seconds")}
        found.update(json.dumps(figures).encode())
    return found.hexdigest()


def prepare(folder: Path, *, steps: int) -> None:
    """Images and the run file of a CoopNets run whose revision takes so many steps."""
    write_images(folder / "images")
    text = RUN_FILES["coopnets"].replace("{images}", str(folder / "images"))
    (folder / "run.toml").write_text(text.replace("steps = 3", f"steps = {steps}", 1))


def sets(iterations: int) -> Sequence[str]:
    return ("--set", f"run.iterations={iterations}", "--set", "run.samples_every=100000")


def kills(folder: Path, *, count: int, seed: int = 0) -> tuple[int, list[int], bool]:
    """Kill a run at random moments: kills, iterations done again each time, whether the end is equal."""
    prepare(folder, steps=3)
    assert end(begin(folder, "run", "run.toml", "--set", "run.output=whole", *sets(ITERATIONS))) == 0
    rng = random.Random(seed)
    run, again = folder / "cut", []
    while len(again) < count:
        resumes = (run / "config.toml").exists()
        first = ("resume", "cut") if resumes else ("run", "run.toml", "--set", "run.output=cut")
        process = begin(folder, *first, *sets(ITERATIONS))
        time.sleep(rng.uniform(0, 0.5))
        os.kill(process, signal.SIGKILL)
        if end(process) != -signal.SIGKILL:
            break
        again.append(lost(run))
    assert end(begin(folder, "resume", "cut", *sets(ITERATIONS))) == 0
    return len(again), again, digest(run) == digest(folder / "whole")


def lost(run: Path) -> int:
    """Logged iterations after the newest checkpoint: those are done again."""
    metrics = run / "metrics.jsonl"
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    whole = [line for line in lines if line.endswith("}")]
    done = json.loads(whole[-1])["iteration"] if whole else 0
    saved = any((run / "checkpoints").glob("iteration-*"))
    return done - (newest_checkpoint(run / "checkpoints")[0].iteration if saved else 0)


def signals(folder: Path, *, count: int, steps: int, seed: int = 0) -> tuple[list[float], list[int], bool]:
    """Send SIGTERM or SIGUSR1 at random moments: seconds to exit, exit codes, whether the end is equal."""
    prepare(folder, steps=steps)
    rng = random.Random(seed)
    seconds, codes = [], []
    for _ in range(count):
        resumes = (folder / "cut" / "config.toml").exists()
        first = ("resume", "cut") if resumes else ("run", "run.toml", "--set", "run.output=cut")
        process = begin(folder, *first, *sets(1_000_000))
        time.sleep(rng.uniform(0.1, 1.5))
        os.kill(process, rng.choice([signal.SIGTERM, signal.SIGUSR1]))
        sent = time.monotonic()
        codes.append(end(process))
        seconds.append(time.monotonic() - sent)
    done = newest_checkpoint(folder / "cut" / "checkpoints")[0].iteration + 1
    assert end(begin(folder, "resume", "cut", *sets(done))) == 0
    assert end(begin(folder, "run", "run.toml", "--set", "run.output=whole", *sets(done))) == 0
    return seconds, codes, digest(folder / "cut") == digest(folder / "whole")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        number, again, equal = kills(Path(name), count=50)
        redone = f"median {statistics.median(again):.0f}, at most {max(again)}"
        print(f"kill -9: {number} times; iterations done again: {redone}; same SHA-256: {equal}")  # noqa: T201
    for steps in (3, 2000):
        with tempfile.TemporaryDirectory() as name:
            seconds, codes, equal = signals(Path(name), count=100, steps=steps)
            p50, p99 = (statistics.quantiles(seconds, n=100)[at] for at in (49, 98))
            exits = {code: codes.count(code) for code in sorted(set(codes))}
            print(  # noqa: T201
                f"signals, chains of {steps} steps: exit codes {exits}; seconds to exit p50 {p50:.2f}, "
                f"p99 {p99:.2f}, longest {max(seconds):.2f}; same SHA-256: {equal}"
            )
