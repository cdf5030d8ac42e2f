"""The recorder for who only wants the figures of a training: a search over settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, final

import attrs

from ebmkit.run.recorders import Figures, Recorder
from ebmkit.training.loop import Report

__all__ = ["Watch", "Watching"]

Watch: TypeAlias = Callable[[int, Mapping[str, float]], None]
"""Takes an iteration and its figures, those of an evaluation among them where there was one."""


@final
@attrs.define
class Watching(Recorder):
    """Shows the figures of iterations.

    Attributes:
        watch: takes them.
        when: the iterations.
        figures: of the newest report, once those of an evaluation were added.
    """

    watch: Watch
    when: Callable[[int], bool]
    figures: Figures
    name = "who watches the figures"
    gathers = False

    def due(self, iteration: int) -> bool:
        """As often as there is a line in ``metrics.jsonl``."""
        return self.when(iteration)

    def record(self, report: Report) -> None:
        """Show them."""
        self.watch(report.iteration, self.figures.of(report))
