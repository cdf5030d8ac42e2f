"""``metrics.jsonl``: one JSON object a line, each iteration at most once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import final

__all__ = ["MetricsLog"]


@final
class MetricsLog:
    """Appends metrics; a resumed run first forgets what was logged after its checkpoint.

    Args:
        path: of the file.
        after: iterations that are done; later lines, and a half-written last one, are cut off.
    """

    def __init__(self, path: Path, *, after: int) -> None:
        self.path = path
        self.cut(after)

    def cut(self, after: int) -> None:
        """Forget what was logged after this iteration."""
        kept = [line for line in _complete_lines(self.path) if json.loads(line)["iteration"] <= after]
        temporary = self.path.with_name(f".{self.path.name}-{os.getpid()}")
        temporary.write_text("".join(kept))
        temporary.replace(self.path)

    def append(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Write one line, complete when this returns."""
        with self.path.open("a") as file:
            file.write(json.dumps({"iteration": iteration, **metrics}) + "\n")


def _complete_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [line for line in lines if line.endswith("}\n")]
