"""``metrics.jsonl``: one JSON object a line, each iteration at most once."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import final

from ebmkit.storage.durable import replace_file

__all__ = ["MetricsLog", "read_metrics"]


@final
class MetricsLog:
    """Appends metrics; a resumed run first forgets what was logged after its checkpoint.

    Args:
        path: of the file.
        after: iterations that are done; later lines, and what a crash left half-written, are cut off.
    """

    def __init__(self, path: Path, *, after: int) -> None:
        self.path = path
        self.cut(after)

    def cut(self, after: int) -> None:
        """Forget what was logged after this iteration."""
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        replace_file(self.path, b"".join(line for line in lines if _iteration_of(line) <= after))

    def append(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Write one line, complete when this returns; only a crash of the machine may take it."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"iteration": iteration, **metrics}) + "\n")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The lines of a metrics file as they are now, without one that is being written."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if math.isfinite(_iteration_of(line))]


def _iteration_of(line: bytes) -> float:
    """Which iteration a line is of; later than any where it is none."""
    with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
        if line.endswith(b"\n"):
            return int(json.loads(line)["iteration"])
    return float("inf")
