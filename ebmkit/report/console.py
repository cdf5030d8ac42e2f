"""The terminal: a live display where there is a terminal, plain lines where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

__all__ = ["Display", "open_display"]

_SECONDS_BETWEEN_LINES = 10.0
_SHOWN: Mapping[str, str] = {
    "energy_observed": "E(data)",
    "energy_revised": "E(samples)",
    "energy_gap": "gap",
    "chain_displacement": "moved",
    "catch_up": "catch-up",
    "reconstruction_error": "recon",
}
"""The figures an EBM user judges a training by, in the order of the line."""


class Display(Protocol):
    """Where a run shows how it goes."""

    def advance(self, iteration: int) -> None:
        """So many iterations are done."""

    def show(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """New figures."""

    def restart(self, iteration: int) -> None:
        """The run went back to this iteration."""

    def say(self, message: str) -> None:
        """A sentence for people."""


@contextmanager
def open_display(console: Console, *, start: int, iterations: int) -> Iterator[Display]:
    """A live display on a terminal, plain lines elsewhere (a log file, a pipe, a batch system)."""
    if not console.is_terminal:
        yield _Lines(console, start, iterations)
        return
    columns = (
        TextColumn("[bold]{task.completed}/{task.total}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[rate]}"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with _ProgressAndFigures(*columns, console=console, speed_estimate_period=120) as progress:
        yield _Live(progress, start, iterations)


def _figures(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{label} {metrics[name]:.4g}" for name, label in _SHOWN.items() if name in metrics)


class _ProgressAndFigures(Progress):
    """The bar, and below it the newest figures, wrapped to the width of the terminal."""

    figures = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield Text(self.figures)


class _Live:
    def __init__(self, progress: _ProgressAndFigures, start: int, iterations: int) -> None:
        self._progress = progress
        self._begin = (time.monotonic(), start)
        self._task = progress.add_task("", total=iterations, completed=start, rate="")

    def advance(self, iteration: int) -> None:
        seconds = time.monotonic() - self._begin[0]
        rate = (iteration - self._begin[1]) / max(seconds, 1e-9)
        self._progress.update(self._task, completed=iteration, rate=f"{rate:.2f} it/s")

    def restart(self, iteration: int) -> None:
        self._begin = (time.monotonic(), iteration)
        self._progress.update(self._task, completed=iteration)

    def show(self, iteration: int, metrics: Mapping[str, float]) -> None:
        del iteration
        self._progress.figures = _figures(metrics)

    def say(self, message: str) -> None:
        self._progress.console.print(message, highlight=False, markup=False)


class _Lines:
    def __init__(self, console: Console, start: int, iterations: int) -> None:
        self._console = console
        self._start = start
        self._iterations = iterations
        self._begin = time.monotonic()
        self._last = -_SECONDS_BETWEEN_LINES

    def advance(self, iteration: int) -> None:
        """Plain lines come with new figures only."""

    def restart(self, iteration: int) -> None:
        self._start, self._begin = iteration, time.monotonic()

    def show(self, iteration: int, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES and iteration < self._iterations:
            return
        self._last = now
        rate = (iteration - self._start) / max(now - self._begin, 1e-9)
        remaining = _clock((self._iterations - iteration) / rate)
        done = f"iteration {iteration}/{self._iterations}"
        self.say(f"{done}  {rate:.2f} it/s  ETA {remaining}  {_figures(metrics)}")

    def say(self, message: str) -> None:
        self._console.print(message, highlight=False, markup=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:.0f}:{minutes:02.0f}:{seconds:02.0f}" if hours else f"{minutes:.0f}:{seconds:02.0f}"
