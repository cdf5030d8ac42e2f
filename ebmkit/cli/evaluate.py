"""``ebmkit evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ebmkit.cli.options import RunNames, Sets, Steps, Weights, which
from ebmkit.cli.output import Json, answering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ebmkit.core import Figure
    from ebmkit.evaluation.judge import Evaluation
    from ebmkit.storage.best import Which
    from ebmkit.storage.folder import RunFolder

__all__ = ["evaluate"]

_CURVE = 60


def evaluate(
    names: RunNames = None,
    *,
    count: Annotated[
        int | None, typer.Option(min=8, help="Samples; by default as in [evaluation].", show_default=False)
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="training|held-out|PATH",
            help="What to compare with; by default as in [evaluation].",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        str, typer.Option(metavar="N|best|newest|all", help="Which checkpoints.")
    ] = "newest",
    weights: Weights = None,
    seed: Annotated[int, typer.Option(help="Of the samples.")] = 0,
    steps: Steps = None,
    set_: Sets = None,
    json: Json = False,
) -> None:
    """Judge samples of trained runs against real examples.

    Every figure stands beside that of real examples against other real ones (floor) and of a Gaussian with
    the data's mean and covariance (ceiling). It is stored in the run folder.
    """
    from rich.console import Console

    from ebmkit.applications.evaluation import evaluate as judge_checkpoints
    from ebmkit.applications.evaluation import judge_for
    from ebmkit.evaluation.store import store, to_json
    from ebmkit.storage.folder import find_runs

    console = Console()
    with answering(as_json=json) as answer:
        answer["evaluations"] = []
        for folder in find_runs(names):
            judge, usual = judge_for(folder, against=against, overrides=set_ or ())
            found = []
            asked = _asked(folder, checkpoint)
            for each in judge_checkpoints(
                folder, judge, asked, count=count or usual, seed=seed, steps=steps, weights=weights
            ):
                found.append(each)
                store(folder, each)
                answer["evaluations"].append({"run": folder.name, **to_json(each)})
            _show(console, folder, found)
            if judge.features is not None and judge.features.caution:
                console.print(f"note: {judge.features.caution}", highlight=False, markup=False)


def _asked(folder: RunFolder, checkpoint: str) -> Sequence[Which]:
    # Where none is saved, asking for the newest says so.
    return (folder.saved() or ["newest"]) if checkpoint == "all" else [which(checkpoint)]


def _show(console: Console, folder: RunFolder, found: Sequence[Evaluation]) -> None:
    """A table of the last checkpoint, and the curve over several."""
    from ebmkit.report.sparkline import sparkline

    last = found[-1]
    console.print(
        f"{folder.name}, iteration {last.iteration}, {last.of}: {last.count} samples against {last.against}",
        highlight=False,
        markup=False,
    )
    console.print(_table(last), highlight=False)
    for name, reason in last.left_out.items():
        console.print(f"{name} is left out: {reason}", highlight=False, markup=False)
    if len(found) > 1 and last.figures:
        name = last.figures[0].name
        values = [figure.value for each in found if (figure := each.figure(name)) is not None]
        curve = sparkline(values, width=_CURVE)
        console.print(f"{name} over {len(found)} checkpoints: {curve}", highlight=False)
        for each in found:
            console.print(f"  {each.iteration:>8}  {_cell(each.figure(name))}", highlight=False)


def _table(found: Evaluation) -> Any:
    from rich.table import Table

    table = Table("figure", box=None, pad_edge=False)
    for column in ("samples", "floor", "ceiling"):
        table.add_column(column, justify="right")
    table.add_column("features")
    bounds = [{each.name: each for each in of} for of in (found.floor, found.ceiling)]
    for each in found.figures:
        cells = [_cell(of.get(each.name)) for of in bounds]
        table.add_row(each.name, _cell(each), *cells, each.features or "")
    return table


def _cell(figure: Figure | None) -> str:
    """``62.9 ± 3.1``."""
    if figure is None:
        return ""
    return f"{figure.value:.4g}" + ("" if figure.error is None else f" ± {figure.error:.2g}")
