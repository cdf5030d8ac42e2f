"""Evaluating trained runs: the checkpoints of one, or several runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from ebmkit.applications.loading import source_at
from ebmkit.applications.sampling import load_schedule
from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Source
from ebmkit.evaluation.judge import Evaluation, Judge
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import open_source
from ebmkit.run.judging import held_out_source, judge_of
from ebmkit.run.weights import Weights, averages_of, weights_said
from ebmkit.storage.best import Which
from ebmkit.storage.folder import RunFolder

__all__ = ["evaluate", "judge_for"]


def judge_for(
    folder: RunFolder, *, against: str | None = None, overrides: Sequence[str] = ()
) -> tuple[Judge, int]:
    """Who judges a run on command, and the number of samples that its run file names.

    Args:
        folder: of the run.
        against: ``training``, ``held-out``, or the path of a folder or an archive of other examples; None
            takes what ``[evaluation]`` says.
        overrides: keys of ``[data]`` that open held-out examples: ``data.part=held-out``; keys of
            ``[evaluation]`` for this time.

    Raises:
        EbmkitError: data, metrics or features that cannot be opened.
    """
    of_data = [each.removeprefix("data.") for each in overrides if each.startswith("data.")]
    others = [each for each in overrides if not each.startswith("data.")]
    plan = make_plan(read_document(folder.config, others), Registry.discover())
    training = open_source(plan)
    held_out: Source | None = held_out_source(folder, of_data) if of_data else None
    if against not in (None, "training", "held-out"):
        held_out, against = source_at(folder, Path(against), of_data, training.shape), "held-out"
    judge = judge_of(plan, folder, training, held_out=held_out, against=against or "")
    return judge, plan.evaluation.count


def evaluate(
    folder: RunFolder,
    judge: Judge,
    checkpoints: Sequence[Which],
    *,
    count: int,
    seed: int = 0,
    weights: Weights | None = None,
) -> Iterator[Evaluation]:
    """Judge checkpoints of a run, one after the other, beside the same floor and ceiling.

    Args:
        folder: of the run.
        judge: of the run.
        checkpoints: which.
        count: samples of each.
        seed: of the samples, the same for each.
        weights: of each; None takes averaged ones where it has them.
    """
    floor, ceiling = judge.bounds(count, seed=seed)
    for which in checkpoints:
        schedule, checkpoint = load_schedule(folder, which=which, weights=weights)
        found = judge.judge(schedule, iteration=checkpoint.iteration, count=count, seed=seed)
        said = weights_said(averages_of(checkpoint, weights, run=folder.name))
        yield attrs.evolve(found, floor=floor, ceiling=ceiling, weights=said)
