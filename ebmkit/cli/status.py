"""``ebmkit status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.cli.options import RunName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ebmkit.storage.folder import RunFolder

__all__ = ["status"]

_FIGURES = 53
"""Columns of the names and numbers, which leave the others to the curves."""


def status(name: RunName = None) -> None:
    """Show how far a run is, and the curve of every figure.

    Also while it trains. The figures are those of metrics.jsonl; what they tell stands in the documentation,
    under "When it goes wrong".
    """
    from rich.console import Console

    from ebmkit.report.console import say, warn
    from ebmkit.report.metrics import read_metrics
    from ebmkit.storage.folder import find_run

    folder = find_run(name)
    console = Console()
    lines = read_metrics(folder.metrics)
    say(console, _progress(folder, max((int(line["iteration"]) for line in lines), default=0)))
    if folder.output_log.exists():
        for line in folder.output_log.read_text(encoding="utf-8", errors="replace").splitlines()[-2:]:
            warn(console, f"  {line}")
    if lines:
        _show(console, lines)


def _progress(folder: RunFolder, logged: int) -> str:
    """``faces: iteration 731 of 2600; checkpoints 600, 700; 1 rollback``."""
    from ebmkit.config import read_document

    run, saved = read_document(folder.config).data.get("run"), folder.saved()
    total = run.get("iterations", "?") if isinstance(run, dict) else "?"
    rollbacks = len(folder.rollbacks.read_bytes().splitlines()) if folder.rollbacks.exists() else 0
    said = [f"iteration {max(logged, *saved, 0)} of {total}"]
    said += [f"checkpoints {', '.join(map(str, saved))}" if saved else "no checkpoint yet"]
    said += [f"{rollbacks} rollback{'s' if rollbacks > 1 else ''}"] if rollbacks else []
    return f"{folder.name}: {'; '.join(said)}"


def _show(console: Console, lines: Sequence[dict[str, float]]) -> None:
    """A row for each figure: where it began, where it is, and the curve between."""
    from rich.table import Table

    from ebmkit.report.sparkline import sparkline

    width = max(8, min(console.width - _FIGURES, 60))
    table = Table(box=None, pad_edge=False)
    table.add_column("figure")
    table.add_column("first", justify="right")
    table.add_column("last", justify="right")
    table.add_column(f"{len(lines)} logged iterations")
    for name in dict.fromkeys(name for line in lines for name in line):
        values = [line[name] for line in lines if _is_number(line.get(name))]
        if name != "iteration" and values:
            table.add_row(name, f"{values[0]:.4g}", f"{values[-1]:.4g}", sparkline(values, width=width))
    console.print(table, highlight=False)


def _is_number(value: object) -> bool:
    import math

    return isinstance(value, int | float) and math.isfinite(value)
