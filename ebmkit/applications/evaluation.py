"""Evaluating trained runs: the checkpoints of one, or several runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from ebmkit.applications.loading import refuse_other_tables, source_at
from ebmkit.applications.sampling import load_schedule, refuse_steps_of_nothing
from ebmkit.config import EvaluationTable, GuardTable, Reader, RunTable, read_document, signature_of
from ebmkit.config.plan import Plan, make_plan
from ebmkit.core import Source
from ebmkit.errors import ConfigError
from ebmkit.evaluation.judge import Evaluation, Judge
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import open_source
from ebmkit.run.judging import held_out_source, judge_of
from ebmkit.run.opening import PROGRAM
from ebmkit.run.weights import Weights, averages_of, weights_said
from ebmkit.storage.best import Which
from ebmkit.storage.folder import RunFolder

__all__ = ["evaluate", "judge_against", "judge_for"]


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
        EbmkitError: keys of other tables; data, metrics or features that cannot be opened.
    """
    of_data = [each.removeprefix("data.") for each in overrides if each.startswith("data.")]
    others = [each for each in overrides if not each.startswith("data.")]
    document = read_document(folder.config, others, saved=True)
    refuse_other_tables(document, "data", "evaluation")
    _refuse_data_of_a_program(document.data, folder.name)
    plan = make_plan(document, Registry.discover())
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
    steps: int | None = None,
    weights: Weights | None = None,
) -> Iterator[Evaluation]:
    """Judge checkpoints of a run, one after the other, beside the same floor and ceiling.

    Args:
        folder: of the run.
        judge: of the run.
        checkpoints: which.
        count: samples of each.
        seed: of the samples, the same for each.
        steps: of the revision; None takes the run's own number.
        weights: of each; None takes averaged ones where it has them.

    Raises:
        EbmkitError: a checkpoint that cannot be opened, or steps of a schedule that revises nothing.
    """
    floor, ceiling = judge.bounds(count, seed=seed)
    for which in checkpoints:
        schedule, checkpoint = load_schedule(folder, which=which, weights=weights)
        refuse_steps_of_nothing(schedule, steps)
        found = judge.judge(schedule, iteration=checkpoint.iteration, count=count, seed=seed, steps=steps)
        said = weights_said(averages_of(checkpoint, weights, run=folder.name))
        yield attrs.evolve(found, floor=floor, ceiling=ceiling, weights=said)


def judge_against(folder: RunFolder, examples: Source, *, classes: int) -> tuple[Judge, int]:
    """Who judges a run whose data a program hands in, and the number of samples that ``[evaluation]`` names.

    Args:
        folder: of the run.
        examples: real ones.
        classes: how many the run's own data have.

    Raises:
        EbmkitError: metrics or features that cannot be opened.
    """
    document = read_document(folder.config, saved=True)
    reader = Reader(document)
    run, evaluation = (
        reader.values((name,), signature_of(table).parameters, owner=f"[{name}]")
        for name, table in (("run", RunTable), ("evaluation", EvaluationTable))
    )
    reader.finish()
    plan = Plan(document, RunTable(**run), GuardTable(), EvaluationTable(**evaluation), {})
    judge = judge_of(plan, folder, examples, against="given")
    return attrs.evolve(judge, classes=classes), plan.evaluation.count


def _refuse_data_of_a_program(tables: Mapping[str, Any], run: str) -> None:
    """Refuse to open data that a program handed in.

    Raises:
        ConfigError: what to do instead.
    """
    if str(tables.get("data", {}).get("use", "")).startswith(PROGRAM):
        raise ConfigError(
            f"the data of run {run} were handed in by a program, and only a program can do it again: "
            f"ebmkit.load({run!r}).evaluate(against=data)"
        )
