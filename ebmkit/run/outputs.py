"""The recorders that people read: ``metrics.jsonl``, the terminal, the sample grids."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import final

import attrs
from rich.console import Console

from ebmkit.report import Display, MetricsLog, can_be_drawn, open_display, save_grid, say
from ebmkit.report.page.render import write_page
from ebmkit.run.recorders import Figures, Recorder, Status, writing
from ebmkit.storage.durable import replace_file
from ebmkit.storage.folder import RunFolder
from ebmkit.training.loop import Report

__all__ = ["Ending", "Grids", "Metrics", "Page", "Progress"]


@final
@attrs.define
class Metrics(Recorder):
    """Writes the figures to ``metrics.jsonl``."""

    folder: RunFolder
    when: Callable[[int], bool]
    figures: Figures
    name = "metrics.jsonl"
    _log: MetricsLog | None = None

    def due(self, iteration: int) -> bool:
        """As often as ``[run]`` says."""
        return self.when(iteration)

    def restart(self, iteration: int) -> None:
        """Open the file, without the lines of iterations that are done again."""
        with writing(self.folder):
            self._log = MetricsLog(self.folder.metrics, after=iteration)

    def record(self, report: Report) -> None:
        """Append a line."""
        if self._log is not None:
            with writing(self.folder):
                self._log.append(report.iteration, self.figures.of(report))


@final
@attrs.define
class Progress(Recorder):
    """Shows people how the training goes."""

    console: Console
    iterations: int
    logged: Callable[[int], bool]
    figures: Figures
    name = "the terminal"
    gathers = False
    _display: Display | None = None
    _open: ExitStack = attrs.field(factory=ExitStack)

    def due(self, iteration: int) -> bool:
        """After every iteration: a bar moves."""
        del iteration
        return True

    def restart(self, iteration: int) -> None:
        """Begin, or go back."""
        if self._display is None:
            opened = open_display(self.console, start=iteration, iterations=self.iterations)
            self._display = self._open.enter_context(opened)
        else:
            self._display.restart(iteration)

    def record(self, report: Report) -> None:
        """Move the bar, and show the figures of an iteration that is logged."""
        if self._display is not None:
            self._display.advance(report.iteration)
            if self.logged(report.iteration):
                self._display.show(report.iteration, self.figures.of(report))

    def saved(self, iteration: int) -> None:
        """Show that this iteration is saved."""
        if self._display is not None:
            self._display.saved(iteration)

    def close(self, status: Status) -> None:
        """Leave the terminal as it was."""
        del status
        self._open.close()
        self._display = None

    def say(self, message: str) -> None:
        """A sentence for people, in between."""
        if self._display is None:
            say(self.console, message)
        else:
            self._display.say(message)


@final
@attrs.define
class Grids(Recorder):
    """Draws a grid of every set of examples that an iteration made, where they are images or sequences."""

    folder: RunFolder
    when: Callable[[int], bool]
    name = "the sample grids"

    def due(self, iteration: int) -> bool:
        """As often as ``[run]`` says."""
        return self.when(iteration)

    def record(self, report: Report) -> None:
        """Write one PNG for each set."""
        sets = {**report.examples._asdict(), "reconstructed": report.reconstructed}
        sets.pop("latents")
        with writing(self.folder):
            for name, x in sets.items():
                if x is not None and can_be_drawn(x):
                    save_grid(self.folder.grid(name, report.iteration), x)


@attrs.define
class _AtTheEnd(Recorder):
    """Takes no iteration: only the end counts."""

    folder: RunFolder
    gathers = False

    def due(self, iteration: int) -> bool:
        """Never."""
        del iteration
        return False

    def record(self, report: Report) -> None:
        """Nothing."""
        del report


@final
@attrs.define
class Page(_AtTheEnd):
    """Writes the page of the run when it has ended, however it did; nothing depends on it."""

    name = "report.html"

    def close(self, status: Status) -> None:
        """Write ``report.html``."""
        del status
        write_page([self.folder], self.folder.path / "report.html")


@final
@attrs.define
class Ending(_AtTheEnd):
    """Writes down how the run ended, for ``ebmkit status``."""

    name = "ended.json"

    def restart(self, iteration: int) -> None:
        """It has not ended."""
        del iteration
        self.folder.ended.unlink(missing_ok=True)

    def close(self, status: Status) -> None:
        """Write it down."""
        replace_file(self.folder.ended, json.dumps({"status": status}).encode())
