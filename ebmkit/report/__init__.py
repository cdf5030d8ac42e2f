"""What a run shows and leaves behind: metrics, sample grids, the terminal."""

from ebmkit.report.console import Display, open_display, say, say_facts, warn
from ebmkit.report.grids import are_images, save_grid
from ebmkit.report.losses import OutputLog
from ebmkit.report.metrics import MetricsLog

__all__ = [
    "Display",
    "MetricsLog",
    "OutputLog",
    "are_images",
    "open_display",
    "save_grid",
    "say",
    "say_facts",
    "warn",
]
