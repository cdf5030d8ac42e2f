"""How a run is doing, from the files in its folder alone: nothing here needs torch."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, final

import attrs

from ebmkit.config import ConfigProblemsError, read_document
from ebmkit.report.metrics import read_metrics
from ebmkit.storage.best import Best, best_of
from ebmkit.storage.folder import RunFolder

__all__ = ["MATTERS", "RunStatus", "duration", "read_status"]

MATTERS = (
    "energy_observed",
    "energy_revised",
    "energy_gap",
    "chain_displacement",
    "acceptance",
    "catch_up",
    "reconstruction_error",
    "loss_energy",
    "loss_generator",
    "roughness",
)
"""The figures that a training is judged by, in the order of the table; a sampler's figures end so."""

_STAGE = "seconds_"
_RECENT = 20
"""Logged iterations whose seconds are averaged."""


@final
@attrs.frozen
class RunStatus:
    """How a run is doing.

    Attributes:
        name: of the run.
        state: running, finished, stopped, diverged, failed, or killed: ended without a word.
        seconds: for how long; None where that is not known.
        done: iterations.
        total: iterations; None where the run file does not say.
        saved: the iterations of its checkpoints.
        saved_seconds: since the last save; None without one.
        best: what its best checkpoint is the best by.
        rollbacks: how many there were.
        stages: seconds of an iteration by stage, of late.
        lines: of ``metrics.jsonl``.
    """

    name: str
    state: str
    seconds: float | None
    done: int
    total: int | None
    saved: Sequence[int]
    saved_seconds: float | None
    best: Best | None
    rollbacks: int
    stages: Mapping[str, float]
    lines: Sequence[Mapping[str, float]]

    @property
    def rate(self) -> float | None:
        """Iterations a second, of late; without the time that recording takes."""
        seconds = sum(self.stages.values())
        return 1 / seconds if seconds > 0 else None

    @property
    def remaining(self) -> float | None:
        """Seconds to the last iteration at this rate."""
        if self.rate is None or self.total is None or self.done >= self.total:
            return None
        return (self.total - self.done) / self.rate

    def curve(self, name: str) -> list[float]:
        """The finite values of a figure, in order."""
        return [line[name] for line in self.lines if _is_number(line.get(name))]

    def names(self, *, every: bool) -> list[str]:
        """Its figures: those that matter, or all, the ones that matter first; seconds not among them."""
        there = list(dict.fromkeys(name for line in self.lines for name in line))
        there = [name for name in there if name != "iteration" and not name.startswith(_STAGE)]
        matter = [name for each in MATTERS for name in there if name == each or name.endswith(f"_{each}")]
        rest = [name for name in there if name not in matter]
        shown = [*dict.fromkeys(matter), *rest] if every or not matter else dict.fromkeys(matter)
        return [name for name in shown if self.curve(name)]


def read_status(folder: RunFolder, *, now: float | None = None) -> RunStatus:
    """How the run in this folder is doing.

    Args:
        folder: of a run, which may be training.
        now: seconds since the epoch; None takes the clock's.
    """
    now = time.time() if now is None else now
    lines = [line for line in read_metrics(folder.metrics) if isinstance(line, dict)]
    saved, total = folder.saved(), _iterations(folder)
    done = max([*saved, *(int(line["iteration"]) for line in lines)], default=0)
    state, since = _state(folder, finished=total is not None and done >= total)
    return RunStatus(
        folder.name,
        state,
        None if since is None else max(now - since, 0.0),
        done,
        total,
        saved,
        max(now - _newest(folder.checkpoints), 0.0) if saved else None,
        best_of(folder.checkpoints),
        len(folder.rollbacks.read_bytes().splitlines()) if folder.rollbacks.exists() else 0,
        _stages(lines[-_RECENT:]),
        lines,
    )


def duration(seconds: float) -> str:
    """A length of time in two words at most.

    Examples:
        >>> [duration(seconds) for seconds in (4.2, 69, 3669, 360000)]
        ['4 s', '1 min 9 s', '1 h 1 min', '4 d 4 h']
    """
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    whole = round(seconds)
    for (unit, size), (smaller, part) in pairwise(units):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def _state(folder: RunFolder, *, finished: bool) -> tuple[str, float | None]:
    """The state, and since when in seconds since the epoch."""
    if (since := folder.held_since()) is not None:
        return "running", since
    with suppress(OSError, ValueError, KeyError, TypeError):
        ended = json.loads(folder.ended.read_bytes())
        return str(ended["status"]), folder.ended.stat().st_mtime
    last = max(
        (path.stat().st_mtime for path in (folder.metrics, folder.config) if path.exists()), default=None
    )
    return ("finished" if finished else "killed"), last


def _iterations(folder: RunFolder) -> int | None:
    run: Any = None
    with suppress(ConfigProblemsError):
        run = read_document(folder.config, saved=True).data.get("run")
    total = run.get("iterations") if isinstance(run, dict) else None
    return total if isinstance(total, int) else None


def _newest(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.glob("iteration-*")), default=0.0)


def _stages(lines: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median seconds of each stage, the longest first."""
    names = dict.fromkeys(name for line in lines for name in line if name.startswith(_STAGE))
    found = {
        name.removeprefix(_STAGE): statistics.median(values)
        for name in names
        if (values := [line[name] for line in lines if _is_number(line.get(name))])
    }
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
