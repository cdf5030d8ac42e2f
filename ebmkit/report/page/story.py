"""What a run folder tells: read from its files alone, as far as they are there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, Union, final

import attrs

from ebmkit.report.metrics import read_metrics
from ebmkit.storage.folder import RunFolder

__all__ = ["Picture", "Story", "read_story"]

_SETS = ("observed", "proposal", "revised", "reconstructed")

_Form: TypeAlias = Union[type, tuple[type, ...], list[Any], Mapping[str, Any], "_Maybe"]


class _Maybe(NamedTuple):
    """The form of what may be missing."""

    form: _Form


_NUMBER = (int, float, type(None))
"""JSON has no NaN and no infinity: they are null."""

_BOUND = {"name": str, "value": _NUMBER}
_ROLLBACK = {"iteration": int, "to": int, "reason": str}
_EVALUATION = {
    "iteration": int,
    "count": int,
    "against": str,
    "floor": _Maybe([_BOUND]),
    "ceiling": _Maybe([_BOUND]),
    "figures": [{**_BOUND, "error": _NUMBER, "count": int, "features": (str, type(None))}],
}
_DIAGNOSIS = {
    "figures": [{"name": str, **dict.fromkeys(("mean", "std", "r_hat", "bulk_ess", "tail_ess"), _NUMBER)}]
}
_FACTS = {"data": {"examples": int, "shape": [int]}, "versions": dict}
"""What the page reads of each file: a key with a type, a list of such; the file may hold more."""


@final
@attrs.frozen
class Picture:
    """A sample grid.

    Attributes:
        name: of the set: ``revised``.
        iteration: after which it was drawn.
        path: of the PNG.
    """

    name: str
    iteration: int
    path: Path


@final
@attrs.frozen
class Story:
    """What is known of a run.

    Attributes:
        folder: of the run.
        config: the resolved run file, table by table.
        text: the same as it stands.
        lines: of ``metrics.jsonl``.
        rollbacks: each with its ``iteration``, ``to`` and ``reason``.
        pictures: the sample grids by the name of the set, each in the order of iterations.
        facts: of the newest checkpoint: versions, data, processes; empty where there is none.
        evaluations: the tables that ``ebmkit evaluate`` stored, the oldest first.
        diagnosis: what ``ebmkit diagnose`` stored last, or nothing.
    """

    folder: RunFolder
    config: Mapping[str, Any]
    text: str
    lines: Sequence[Mapping[str, float]]
    rollbacks: Sequence[Mapping[str, Any]]
    pictures: Mapping[str, Sequence[Picture]]
    facts: Mapping[str, Any]
    evaluations: Sequence[Mapping[str, Any]]
    diagnosis: Mapping[str, Any]

    @property
    def iteration(self) -> int:
        """How far it got, by what is written down."""
        logged = max((int(line["iteration"]) for line in self.lines), default=0)
        return max(logged, *self.folder.saved(), 0)


def read_story(folder: RunFolder) -> Story:
    """Read what a run folder tells; a file that is missing or damaged leaves its part empty."""
    from ebmkit.config import read_document

    return Story(
        folder=folder,
        config=read_document(folder.config, saved=True).data,
        text=folder.config.read_text(encoding="utf-8"),
        lines=read_metrics(folder.metrics),
        rollbacks=[each for each in _json_lines(folder.rollbacks) if _fits(each, _ROLLBACK)],
        pictures=_pictures(folder.path / "samples"),
        facts=_newest_facts(folder),
        evaluations=[
            found for path in _stored(folder.path / "evaluation") if (found := _json(path, _EVALUATION))
        ],
        diagnosis=_json(folder.diagnosis, _DIAGNOSIS),
    )


def _pictures(folder: Path) -> Mapping[str, Sequence[Picture]]:
    found: dict[str, list[Picture]] = {}
    for path in sorted(folder.glob("*.png")):
        if name := re.fullmatch(r"(.+)-(\d+)", path.stem):
            found.setdefault(name[1], []).append(Picture(name[1], int(name[2]), path))
    for pictures in found.values():
        pictures.sort(key=lambda each: each.iteration)
    return {name: found[name] for name in (*_SETS, *sorted(set(found) - set(_SETS))) if name in found}


def _newest_facts(folder: RunFolder) -> Mapping[str, Any]:
    saved = folder.saved()
    manifest = folder.checkpoints / f"iteration-{saved[-1]:07d}" / "manifest.json" if saved else Path()
    return _json(manifest, _FACTS)


def _stored(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("*.json"))


def _json(path: Path, form: _Form) -> Mapping[str, Any]:
    """The object in a file; an empty one where the file is missing or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if _fits(found, form) else {}


def _json_lines(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [found for line in lines if isinstance(found := json.loads(line), dict)]
    except (OSError, ValueError):
        return []


def _fits(found: object, form: _Form) -> bool:
    """Whether what was read has at least this form.

    Examples:
        >>> _fits({"at": [1, 2], "more": 0}, {"at": [int]}), _fits({"at": ["1"]}, {"at": [int]})
        (True, False)
    """
    if isinstance(form, _Maybe):
        return _fits(found, form.form)
    if isinstance(form, Mapping):
        return isinstance(found, dict) and all(
            _fits(found[key], each) if key in found else isinstance(each, _Maybe)
            for key, each in form.items()
        )
    if isinstance(form, list):
        return isinstance(found, list) and all(_fits(each, form[0]) for each in found)
    return isinstance(found, form)
