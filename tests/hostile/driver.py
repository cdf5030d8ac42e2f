"""Two processes that run the same cases, one with ebmkit and one without, and what differs between them."""

from __future__ import annotations

import os
import queue
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch

from tests.hostile.compare import ambiguities, differences

ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0
"""Seconds for one case."""


class Case(NamedTuple):
    """A text to run, and how closely its answers can be compared.

    Those that are generated may draw numbers of their own, which are others in float64.
    """

    name: str
    source: str
    kinked: bool = True
    coarse: bool = False
    generated: bool = False


class Verdict(NamedTuple):
    """What a case came to; nothing in ``differences`` is what should be."""

    case: Case
    differences: list[str]
    seconds: float


class Worker:
    """A process of a role, started again where a case ended it.

    Args:
        role: see ``worker``.
        root: of the tree whose code it runs.
    """

    def __init__(self, role: str, root: Path = ROOT) -> None:
        self.role, self.root = role, root
        self._process: subprocess.Popen[str] | None = None
        self._complaints: IO[str] | None = None

    def run(self, *line: object) -> str:
        """``done``, ``spoilt``, or how the process ended."""
        process = self._process = self._process or self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(" ".join(map(str, line)) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
        answer = process.stdout.readline().strip() if ready else ""
        if answer == "done":
            return answer
        if not answer:
            if not ready:
                process.kill()
            answer = f"took over {_PATIENCE:.0f} s"
            if ready:
                answer = f"ended the process with {process.wait()} {self._last_complaint()}".rstrip()
        self.close()
        return answer

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._complaints is not None:
            self._complaints.close()
        self._process = self._complaints = None

    def _last_complaint(self) -> str:
        assert self._complaints is not None
        self._complaints.seek(0)
        lines = self._complaints.read().splitlines()
        return lines[-1] if lines else ""

    def _started(self) -> subprocess.Popen[str]:
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process
        paths = [str(self.root), str(self.root / "plugins"), os.environ.get("PYTHONPATH", "")]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.worker", self.role],
            cwd=self.root,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "EBMKIT_WINOGRAD": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
        )


def compared(
    cases: Iterable[Case], folder: Path, *, role: str = "fast", root: Path = ROOT, keep: bool = False
) -> list[Verdict]:
    """Each case by both processes side by side, the subject a few cases ahead.

    Args:
        cases: what to run.
        folder: for texts and answers.
        role: of the subject.
        root: of the tree that the subject runs.
        keep: the answers of the reference stay in the folder, and are taken from there where they are.
    """
    waiting: queue.Queue[tuple[Case, str, float] | None] = queue.Queue()
    verdicts: list[Verdict] = []

    def follow() -> None:
        reference = Worker("plain")
        try:
            while (item := waiting.get()) is not None:
                case, ended, seconds = item
                begin = time.perf_counter()
                found = _judged(case, ended, reference, folder, keep=keep)
                verdicts.append(Verdict(case, found, seconds + time.perf_counter() - begin))
        finally:
            reference.close()

    pool = ThreadPoolExecutor(1)
    following = pool.submit(follow)
    subject = Worker(role, root)
    try:
        for case in cases:
            (folder / f"{case.name}.py").write_text(case.source)
            begin = time.perf_counter()
            ended = subject.run(folder / f"{case.name}.py", folder / f"{case.name}.subject")
            waiting.put((case, ended, time.perf_counter() - begin))
    finally:
        waiting.put(None)
        subject.close()
    following.result()
    pool.shutdown()
    return verdicts


def _judged(case: Case, ended: str, reference: Worker, folder: Path, *, keep: bool) -> list[str]:
    source, subject, plain = (folder / f"{case.name}.{suffix}" for suffix in ("py", "subject", "plain"))
    if ended not in ("done", "spoilt"):
        return [ended]
    answer = "done" if keep and plain.exists() else reference.run(source, plain, subject)
    if answer != "done":
        return [f"the reference {answer}"]
    found: list[dict[str, Any]] = [torch.load(each, weights_only=False) for each in (subject, plain)]
    for each in [subject] if keep else [subject, plain]:
        each.unlink()
    doubts = [] if case.generated else ambiguities(found[1])
    return doubts + differences(*found, kinked=case.kinked, coarse=case.coarse)
