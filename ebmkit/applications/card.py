"""The model card of an export: what was trained, on what, how, how good it is, and how it failed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ebmkit.core import CooperativeScheduler, Figure
from ebmkit.evaluation.judge import Evaluation
from ebmkit.evaluation.store import read_evaluations
from ebmkit.report.page.settings import Setting, chosen, defaults_of
from ebmkit.storage.checkpoint import Checkpoint
from ebmkit.storage.folder import RunFolder

__all__ = ["card"]

_OF_THIS_MACHINE = ("data.path", "run.output", "run.device")
"""Settings that say nothing of the model."""


def card(
    folder: RunFolder,
    schedule: CooperativeScheduler,
    checkpoint: Checkpoint,
    *,
    target: Path,
    weights: str,
    pictures: Sequence[str],
) -> str:
    """The card of what is exported, as Markdown.

    Args:
        folder: of the run.
        schedule: with its weights.
        checkpoint: that they are of.
        target: folder of the export.
        weights: which they are, for people: ``iteration 600, last weights``.
        pictures: the names of sample grids in it.
    """
    facts, data = checkpoint.facts, checkpoint.trained_on
    evaluation = next((each for each in read_evaluations(folder) if _is_of(each, weights)), None)
    parts = list(_parts(facts.config, schedule))
    shape = "x".join(map(str, data.shape))
    text: str = _template().render(
        name=folder.path.absolute().name,
        folder=target.name,
        made_of=" and ".join(each["table"] for each in parts if each["count"]).capitalize() or "A schedule",
        reached=_reached(checkpoint, weights),
        answer="proposal" if schedule.energy is None else "revised",
        shape=f"(64, {', '.join(map(str, data.shape))})",
        pictures=pictures,
        parts=parts,
        data={
            "name": _data_name(facts.config),
            "examples": data.examples,
            "shape": shape,
            "sha256": data.sha256,
        },
        settings=_settings(folder, facts.config),
        evaluation=evaluation,
        figures=[] if evaluation is None else list(_figures(evaluation)),
        failures=list(_failures(folder, checkpoint)),
        versions={"ebmkit": "", **facts.versions, **facts.plugins},
    )
    return text


def _is_of(evaluation: Evaluation, weights: str) -> bool:
    return weights == f"iteration {evaluation.iteration}, {evaluation.of}"


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("ebmkit.applications"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - Markdown
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    return environment.get_template("card.md")


def _cell(text: object) -> str:
    """A text as a cell of a table holds it."""
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|").replace("`", "'")


def _parts(config: Mapping[str, Any], schedule: CooperativeScheduler) -> Iterator[Mapping[str, Any]]:
    """Each table that names a part, with how many parameters it learned."""
    modules = dict(schedule.named_children())
    for table, values in config.items():
        if "use" in values and table not in ("data", "trackers"):
            module = modules.get(table) if table != "schedule" else None
            count = sum(each.numel() for each in module.parameters()) if module is not None else 0
            yield {"table": table, "use": values["use"], "count": f"{count:,}" if count else ""}


def _reached(checkpoint: Checkpoint, weights: str) -> str:
    run = checkpoint.facts.config.get("run", {})
    return f"{weights}, of {run.get('iterations', '?')} iterations with seed {run.get('seed', '?')}"


def _data_name(config: Mapping[str, Any]) -> str:
    """What the data are, without where they lie."""
    table = config.get("data", {})
    path = Path(str(table.get("path", ""))).name
    return f"{table.get('use', '?')}" + (f", {path}" if path else "")


def _settings(folder: RunFolder, config: Mapping[str, Any]) -> Sequence[Setting]:
    return [each for each in chosen(config, defaults_of(folder)) if each[0] not in _OF_THIS_MACHINE]


def _figures(evaluation: Evaluation) -> Iterator[Mapping[str, Any]]:
    """Each figure with its bounds, numbers as people write them."""
    for each in evaluation.figures:
        yield {
            "name": each.name,
            "value": _number(each.value),
            "error": _number(each.error),
            "count": each.count,
            "features": each.features or "",
            "floor": _bound(evaluation.floor, each.name),
            "ceiling": _bound(evaluation.ceiling, each.name),
        }


def _bound(figures: Sequence[Figure], name: str) -> str:
    return _number(next((each.value for each in figures if each.name == name), None))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _failures(folder: RunFolder, checkpoint: Checkpoint) -> Iterator[str]:
    """What went wrong up to this checkpoint, and how the run ended."""
    for each in checkpoint.facts.rollbacks:
        yield f"Diverged at iteration {each.iteration}, went back to {each.to}: {_cell(each.reason)}"
    iterations = checkpoint.facts.config.get("run", {}).get("iterations", 0)
    if checkpoint.iteration < iterations:
        yield f"Of {iterations} iterations planned, these weights had {checkpoint.iteration}."
    try:
        status = json.loads(folder.ended.read_bytes()).get("status")
    except (OSError, ValueError, AttributeError):
        return
    if status in ("diverged", "failed"):
        yield f"The run {status} later; these weights are from before."
