"""Kills and signals at random moments of a real run: ``python -m tests.reliability.interruptions [COUNT]``.

COUNT kills (50), then COUNT signals (100) for chains of 3 and of 2,000 steps.

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

from ebmkit.cli import main
from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.storage.checkpoint import newest_checkpoint
from tests.conftest import RUN_FILES, write_images

KILLED_WITHIN, SIGNALLED_WITHIN = 3.0, 6.0
"""No life of the run is longer, in seconds; its start takes a part of that."""


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
    # What every life would import again is imported once: most of a life shall be training.
    import ebmkit.run.start  # noqa: F401

    build_experiment(make_plan(read_document(folder / "run.toml"), Registry.discover()))


def sets(iterations: int) -> Sequence[str]:
    return ("--set", f"run.iterations={iterations}", "--set", "run.samples_every=100000")


def life(folder: Path) -> int:
    """Start the run, or go on with it where it has begun; its process."""
    begun = (folder / "cut" / "config.toml").exists()
    first = ("resume", "cut") if begun else ("run", "run.toml", "--set", "run.output=cut")
    return begin(folder, *first, *sets(1_000_000))


def ends_equal(folder: Path) -> bool:
    """Let the run do one more iteration and end; whether one that was never stopped is the same."""
    done = newest_checkpoint(folder / "cut" / "checkpoints")[0].iteration + 1
    assert end(begin(folder, "resume", "cut", *sets(done))) == 0
    assert end(begin(folder, "run", "run.toml", "--set", "run.output=whole", *sets(done))) == 0
    return digest(folder / "cut") == digest(folder / "whole")


def kills(folder: Path, *, count: int, seed: int = 0) -> tuple[list[int], bool]:
    """Kill a run at random moments: iterations to do again after each, whether the end is equal."""
    prepare(folder, steps=3)
    rng, again = random.Random(seed), []
    for _ in range(count):
        process = life(folder)
        time.sleep(rng.uniform(0, KILLED_WITHIN))
        os.kill(process, signal.SIGKILL)
        assert end(process) == -signal.SIGKILL
        again.append(lost(folder / "cut"))
    return again, ends_equal(folder)


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
        process = life(folder)
        time.sleep(rng.uniform(0.1, SIGNALLED_WITHIN))
        os.kill(process, rng.choice([signal.SIGTERM, signal.SIGUSR1]))
        sent = time.monotonic()
        codes.append(end(process))
        seconds.append(time.monotonic() - sent)
    return seconds, codes, ends_equal(folder)


def report_kills(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        again, equal = kills(Path(name), count=count)
        iterations = newest_checkpoint(Path(name) / "cut" / "checkpoints")[0].iteration
    redone = f"median {statistics.median(again):.0f}, at most {max(again)}"
    print(  # noqa: T201
        f"kill -9: {len(again)} in {iterations} iterations; done again: {redone}; same SHA-256: {equal}"
    )


def report_signals(count: int, *, steps: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        seconds, codes, equal = signals(Path(name), count=count, steps=steps)
        training = (Path(name) / "output.txt").read_text().count("saved iteration")
    exits = {code: codes.count(code) for code in sorted(set(codes))}
    p50, p99 = (statistics.quantiles(seconds, n=100, method="inclusive")[at] for at in (49, 98))
    print(  # noqa: T201
        f"signals, chains of {steps} steps: exit codes {exits}, {training} of them in training; "
        f"seconds to exit p50 {p50:.2f}, p99 {p99:.2f}, longest {max(seconds):.2f}; same SHA-256: {equal}"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    kill_count, signal_count = (int(sys.argv[1]),) * 2 if len(sys.argv) > 1 else (50, 100)
    report_kills(kill_count)
    for length in (3, 2000):
        report_signals(signal_count, steps=length)
