"""Sweeps of a tiny run, as tests of several modules look at them; they need the extra [sweep]."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebmkit.applications.sweep.file import read_sweep
from ebmkit.applications.sweep.study import Study

pytest.importorskip("optuna", reason="the extra [sweep] is not installed")

from ebmkit.applications.sweep.opening import open_study

STEPS = '"revision.steps" = { choices = [1, 2] }'
DRAWN = (
    '"revision.step_size" = { low = 0.001, high = 0.1, log = true }\n"revision.steps" = { low = 1, high = 4 }'
)


def study_of(path: Path, *overrides: str) -> Study:
    file = read_sweep(path, overrides)
    return open_study(file, Path("runs") / file.table.name)


def weights(folder: Path) -> dict[str, bytes]:
    newest = max((folder / "checkpoints").glob("iteration-*"))
    return {path.name: path.read_bytes() for path in sorted(newest.glob("*.safetensors"))}
