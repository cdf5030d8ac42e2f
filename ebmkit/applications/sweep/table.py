"""What came of a sweep: a table for the terminal, and a page of the best trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from ebmkit.applications.sweep.study import Study, Trial
from ebmkit.messages.quoting import shortened
from ebmkit.report.page.render import write_page

__all__ = ["ranked", "table_of", "write_sweep_page"]

_SHOWN = 12
"""Trials side by side on the page, at most."""

_WIDTH = 24
"""Of a value in the table."""


def ranked(study: Study) -> list[Trial]:
    """The trials, the best first, then those without a value, by number."""
    worse = -1 if study.file.table.direction == "maximize" else 1
    trials = study.trials()
    valued = [each for each in trials if each.value is not None]
    valued.sort(key=lambda each: worse * (each.value or 0.0))
    return [*valued, *(each for each in trials if each.value is None)]


def table_of(study: Study, trials: Sequence[Trial]) -> Table:
    """A row for each trial: its number, how it ended, what it is worth, its values."""
    keys = [each.key for each in study.file.ranges]
    table = Table("trial", "state", box=None, pad_edge=False)
    table.add_column(study.file.table.metric, justify="right", overflow="fold")
    for key in keys:
        table.add_column(key, justify="right", overflow="fold")
    for each in trials:
        state = f"{each.state} ({each.exit_code})" if each.exit_code else each.state
        value = "-" if each.value is None else f"{each.value:.5g}"
        table.add_row(str(each.number), state, value, *(_short(each.values.get(key, "-")) for key in keys))
    return table


def write_sweep_page(study: Study, trials: Sequence[Trial]) -> Path | None:
    """Write the best trials side by side as one page; None where no trial has begun.

    Raises:
        OSError: it cannot be written.
    """
    folders = [each.folder for each in trials if each.folder.config.is_file()][:_SHOWN]
    if not folders:
        return None
    path = study.folder / "report.html"
    write_page(folders, path)
    return path


def _short(text: str) -> str:
    """A number in six digits, another value in few characters."""
    try:
        return f"{float(text):.6g}"
    except ValueError:
        return shortened(text.strip('"'), _WIDTH)
