"""``ebmkit status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.options import RunNames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from ebmkit.report.status import RunStatus

__all__ = ["status"]

_FIGURES = 53
"""Columns of the names and numbers, which leave the others to the curves."""

_WIDTH = 80
"""Columns that the lines before the table keep to."""


def status(
    names: RunNames = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Every figure, not only those that matter.")
    ] = False,
) -> None:
    """Show how a run is doing, or several side by side.

    Also while it trains: state, last save, best checkpoint, speed and time left, and the curves of the
    figures that a training is judged by. The documentation tells what they mean, under "When it goes wrong".
    """
    from rich.console import Console

    from ebmkit.report.status import read_status
    from ebmkit.storage.folder import find_runs

    folders = find_runs(names)
    found, console = [read_status(folder) for folder in folders], Console()
    if len(found) > 1:
        _compare(console, found, every=show_all)
        return
    for line in _lines(found[0]):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    _warn_of_lost_output(console, folders[0].output_log)
    if found[0].lines:
        _curves(console, found[0], every=show_all)


def _lines(run: RunStatus) -> list[str]:
    """What is asked first: ``faces: running for 3 h 12 min; iteration 731 of 2600``."""
    from ebmkit.report.status import duration

    facts = _facts(run)
    lines = [f"{run.name}: {facts['state']}; iteration {facts['iteration']}"]
    if run.rollbacks:
        lines[0] += f"; {run.rollbacks} rollback{'s' if run.rollbacks > 1 else ''}"
    saved = f"checkpoints {', '.join(map(str, run.saved))}" if run.saved else "no checkpoint yet"
    ago = f", the last one {duration(run.saved_seconds)} ago" if run.saved_seconds is not None else ""
    lines.append(f"  {saved}{ago}")
    if run.best is not None:
        lines.append(f"  best {facts['best']}")
    if run.rate is not None:
        left = f", {duration(run.remaining)} left" if run.remaining is not None else ""
        lines.append(f"  {facts['it/s']} iterations a second{left}")
        lines.append(_stages(run))
    return lines


def _stages(run: RunStatus) -> str:
    """The longest stages, as many as fit a line."""
    line = "  seconds by stage:"
    for name, seconds in run.stages.items():
        longer = f"{line.removesuffix(':')}{':' if line.endswith(':') else ','} {name} {seconds:.2g}"
        if len(longer) > _WIDTH:
            break
        line = longer
    return line


def _facts(run: RunStatus) -> dict[str, str]:
    """The same of every run, by the name of its row where several stand side by side."""
    from ebmkit.report.status import duration

    best = run.best and f"{run.best.figure} {run.best.value:.4g}, iteration {run.best.iteration}"
    return {
        "state": run.state + (_how_long(run, duration(run.seconds)) if run.seconds is not None else ""),
        "iteration": f"{run.done} of {run.total or '?'}",
        "best": best or "-",
        "it/s": "-" if run.rate is None else f"{run.rate:.3g}",
        "left": "-" if run.remaining is None else duration(run.remaining),
    }


def _how_long(run: RunStatus, time: str) -> str:
    return f" for {time}" if run.state == "running" else f" {time} ago"


def _compare(console: Console, found: Sequence[RunStatus], *, every: bool) -> None:
    """A column for each run, a row for each fact and figure."""
    from rich.table import Table

    table = Table("", *(run.name for run in found), box=None, pad_edge=False)
    facts = [_facts(run) for run in found]
    for name in facts[0]:
        table.add_row(name, *(each[name] for each in facts))
    for name in dict.fromkeys(name for run in found for name in run.names(every=every)):
        values = [run.curve(name) for run in found]
        table.add_row(name, *(f"{each[-1]:.4g}" if each else "-" for each in values))
    console.print(table, highlight=False)


def _curves(console: Console, run: RunStatus, *, every: bool) -> None:
    """A row for each figure: where it began, where it is, and the curve between."""
    from rich.table import Table

    from ebmkit.report.sparkline import scaled, sparkline

    width = max(8, min(console.width - _FIGURES, 60))
    table = Table(box=None, pad_edge=False)
    table.add_column("figure")
    table.add_column("first", justify="right")
    table.add_column("last", justify="right")
    table.add_column(f"{len(run.lines)} logged iterations")
    for name in run.names(every=every):
        values = run.curve(name)
        shown, scale = scaled(values)
        table.add_row(
            f"{name}{scale}", f"{values[0]:.4g}", f"{values[-1]:.4g}", sparkline(shown, width=width)
        )
    console.print(table, highlight=False)


def _warn_of_lost_output(console: Console, log: Path) -> None:
    from ebmkit.report.console import warn

    if log.exists():
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-2:]:
            warn(console, f"  {line}")
