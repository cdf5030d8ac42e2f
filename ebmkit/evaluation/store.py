"""Evaluations as files of a run folder: ``evaluation/0005200.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from ebmkit.core import Figure
from ebmkit.evaluation.judge import Evaluation
from ebmkit.storage.durable import replace_file
from ebmkit.storage.folder import RunFolder
from ebmkit.storage.plain import as_json, plain

__all__ = ["read_evaluations", "store", "to_json"]


def store(folder: RunFolder, evaluation: Evaluation) -> Path:
    """Write an evaluation, in the place of an earlier one of the same iteration; the path.

    Raises:
        OSError: it cannot be written.
    """
    path = folder.path / "evaluation" / f"{evaluation.iteration:07d}.json"
    path.parent.mkdir(exist_ok=True)
    replace_file(path, (as_json(to_json(evaluation)) + "\n").encode())
    return path


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON has it, without infinity and NaN: these are null."""
    record: dict[str, Any] = plain(attrs.asdict(evaluation))
    return record


def read_evaluations(folder: RunFolder) -> list[Evaluation]:
    """Those stored of a run, in the order of iterations; what is damaged is passed over."""
    found = (_read(path) for path in sorted((folder.path / "evaluation").glob("*.json")))
    return [evaluation for evaluation in found if evaluation is not None]


def _read(path: Path) -> Evaluation | None:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        for name in ("figures", "floor", "ceiling"):
            entries[name] = [Figure(**each) for each in entries[name]]
        return Evaluation(**entries)
    except (OSError, ValueError, TypeError, KeyError):
        return None
