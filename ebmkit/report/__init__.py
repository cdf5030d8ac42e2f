"""What a run shows and leaves behind: metrics, sample grids, the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebmkit.report.console import Display, open_display, say, say_facts, warn
from ebmkit.report.losses import OutputLog
from ebmkit.report.metrics import MetricsLog

if TYPE_CHECKING:
    from ebmkit.report.grids import are_images, can_be_drawn, save_grid

__all__ = [
    "Display",
    "MetricsLog",
    "OutputLog",
    "are_images",
    "can_be_drawn",
    "open_display",
    "save_grid",
    "say",
    "say_facts",
    "warn",
]


def __getattr__(name: str) -> object:
    """Pictures need torch, which is imported when the first is drawn."""
    if name not in ("are_images", "can_be_drawn", "save_grid"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ebmkit.report import grids

    return getattr(grids, name)
