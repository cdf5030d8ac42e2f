"""The terminal: a live display where there is a terminal, plain lines where there is none."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

__all__ = ["Display", "open_display", "say", "say_facts", "warn"]

_SECONDS_BETWEEN_LINES = 10.0
_LINES_BETWEEN_HEADINGS = 20
_SHOWN: Mapping[str, tuple[str, int]] = {
    "energy_observed": ("E(data)", 9),
    "energy_revised": ("E(samples)", 10),
    "energy_gap": ("gap", 9),
    "chain_displacement": ("moved", 7),
    "catch_up": ("catch-up", 8),
    "reconstruction_error": ("recon", 7),
    "revision_acceptance": ("accepted", 8),
}
"""The figures an EBM user judges a training by: name, and width in a plain line.

A plain line has at most 80 columns, and leaves out the last figures where it would have more.
"""

_LINE = 80

_LABEL = 10
"""Columns of the names of facts: ``generator``."""

_LONG = 10
"""Hours from which on seconds count for nothing."""


class Display(Protocol):
    """Where a run shows how it goes."""

    def advance(self, iteration: int) -> None:
        """So many iterations are done."""

    def show(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """New figures."""

    def saved(self, iteration: int) -> None:
        """The checkpoint of this iteration is written."""

    def restart(self, iteration: int) -> None:
        """The run went back to this iteration."""

    def say(self, message: str) -> None:
        """A sentence for people."""


def say(console: Console, message: str, *, style: str | None = None) -> None:
    """A sentence for people: broken between words on a terminal, one line in a file or a pipe."""
    console.print(message, style=style, highlight=False, markup=False, soft_wrap=not console.is_terminal)


def warn(console: Console, message: str) -> None:
    """A sentence that should not be missed."""
    say(console, message, style="yellow")


def say_facts(console: Console, facts: Iterable[tuple[str, str]]) -> None:
    """Names and what is to be said of each, in two columns; long ones go on in the second."""
    for name, text in facts:
        line = f"  {name:<{_LABEL}} {text}"
        if console.is_terminal:
            indent = " " * (_LABEL + 3)
            line = textwrap.fill(line, console.width, subsequent_indent=indent, break_on_hyphens=False)
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def open_display(console: Console, *, start: int, iterations: int) -> Iterator[Display]:
    """A live display on a terminal, plain lines elsewhere (a log file, a pipe, a batch system)."""
    if not console.is_terminal:
        yield _Lines(console, start, iterations)
        return
    columns = (
        TextColumn("[bold]{task.completed}/{task.total}"),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        TextColumn("{task.fields[rate]} it/s"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        *([TextColumn("{task.fields[saved]}")] if console.width >= _LINE else []),
    )
    with _ProgressAndFigures(*columns, console=console, speed_estimate_period=120, expand=True) as progress:
        yield _Live(progress, start, iterations)


class _Figures:
    """The newest figures, in as many columns as the terminal holds, which stay while numbers change."""

    def __init__(self, metrics: Mapping[str, float]) -> None:
        self._cells = [
            f"{label} {metrics[name]:.4g}" for name, (label, _) in _SHOWN.items() if name in metrics
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cell, gap = len("E(samples) -1.234e+56"), 3
        most = max(1, (options.max_width + gap) // (cell + gap))
        rows = math.ceil(len(self._cells) / most)
        if rows:
            columns = math.ceil(len(self._cells) / rows)
            table = Table.grid(*(Column(min_width=cell) for _ in range(columns)), padding=(0, gap, 0, 0))
            for first in range(0, len(self._cells), columns):
                table.add_row(*(Text(each) for each in self._cells[first : first + columns]))
            yield table


class _ProgressAndFigures(Progress):
    """The bar, and below it the newest figures."""

    figures = _Figures({})

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield self.figures


class _Live:
    def __init__(self, progress: _ProgressAndFigures, start: int, iterations: int) -> None:
        self._progress = progress
        self._begin = (time.monotonic(), start)
        self._first = start + 1
        self._task = progress.add_task("", total=iterations, completed=start, rate="-", saved="")

    def advance(self, iteration: int) -> None:
        if iteration == self._first:  # it looked for fast paths as well: its time tells nothing
            self._begin = (time.monotonic(), iteration)
            self._progress.update(self._task, completed=iteration)
            return
        seconds = time.monotonic() - self._begin[0]
        rate = (iteration - self._begin[1]) / max(seconds, 1e-9)
        self._progress.update(self._task, completed=iteration, rate=_rate(rate))

    def saved(self, iteration: int) -> None:
        self._progress.update(self._task, saved=f"saved {iteration}")

    def restart(self, iteration: int) -> None:
        self._begin, self._first = (time.monotonic(), iteration), iteration + 1
        self._progress.update(self._task, completed=iteration)

    def show(self, iteration: int, metrics: Mapping[str, float]) -> None:
        del iteration
        self._progress.figures = _Figures(metrics)

    def say(self, message: str) -> None:
        say(self._progress.console, message)


class _Lines:
    """A table that grows by a line: fast trainings by one in ten seconds, so that a log can still be read."""

    def __init__(self, console: Console, start: int, iterations: int) -> None:
        self._console = console
        self._start, self._first = start, start + 1
        self._iterations = iterations
        self._begin = time.monotonic()
        self._last = -_SECONDS_BETWEEN_LINES
        self._heading = ""
        self._below = 0

    def advance(self, iteration: int) -> None:
        """Plain lines come with new figures only."""

    def saved(self, iteration: int) -> None:
        """A log tells it at its end."""

    def restart(self, iteration: int) -> None:
        self._start, self._begin, self._first = iteration, time.monotonic(), iteration + 1

    def show(self, iteration: int, metrics: Mapping[str, float]) -> None:
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES and iteration < self._iterations:
            return
        self._last = now
        rate, remaining = self._speed(iteration, now)
        shown = _fitting([(*_SHOWN[name], metrics[name]) for name in _SHOWN if name in metrics])
        names = (f"{name:>{width}}" for name, width, _ in shown)
        figures = (f"{_digits(value):>{width}}" for _, width, value in shown)
        heading = " ".join(["iteration", " it/s", "    ETA", *names])
        if heading != self._heading or self._below == _LINES_BETWEEN_HEADINGS:
            self._heading, self._below = heading, 0
            self._print(heading)
        self._below += 1
        self._print(" ".join([f"{iteration:>9}", f"{rate:>5}", f"{remaining:>7}", *figures]))

    def _speed(self, iteration: int, now: float) -> tuple[str, str]:
        """Iterations per second since the first one, which looked for fast paths as well, and time left."""
        if iteration == self._first:
            self._start, self._begin = iteration, now
            return "-", "-"
        rate = (iteration - self._start) / max(now - self._begin, 1e-9)
        return _rate(rate), _clock((self._iterations - iteration) / rate)

    def say(self, message: str) -> None:
        self._heading = ""  # again below what was said
        say(self._console, message)

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _fitting(figures: Sequence[tuple[str, int, float]]) -> Sequence[tuple[str, int, float]]:
    """The first figures, as many as a plain line has room for behind iteration, speed and time left."""
    room = _LINE - len("iteration  it/s     ETA")
    ends = accumulate(1 + width for _, width, _ in figures)
    return figures[: sum(end <= room for end in ends)]


def _digits(value: float) -> str:
    """Three digits, of which the last may be 0, so that numbers below each other are compared easily.

    Examples:
        >>> [_digits(value) for value in (-31845.678, 0.1, 100.0)]
        ['-3.18e+04', '0.100', '100']
    """
    return f"{value:#.3g}".rstrip(".")


def _rate(rate: float) -> str:
    """Iterations per second, three digits of them.

    Examples:
        >>> [_rate(rate) for rate in (0.0123, 4.01, 40.1, 12345.0)]
        ['0.012', '4.01', '40.1', '12345']
    """
    decimals = 2 - math.floor(math.log10(max(rate, 1e-3)))
    return f"{rate:.{min(max(decimals, 0), 3)}f}"


def _clock(seconds: float) -> str:
    """A duration.

    Examples:
        >>> [_clock(seconds) for seconds in (69, 3669, 36690, 360000)]
        ['1:09', '1:01:09', '10h11m', '100h00m']
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= _LONG:
        return f"{hours}h{minutes:02}m"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
