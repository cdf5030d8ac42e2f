"""TensorBoard: event files in a folder, read by ``tensorboard --logdir``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from torch import Tensor

from ebmkit.core.tracker import Tracker
from ebmkit.errors import PluginError

__all__ = ["TensorBoard"]


@final
class TensorBoard(Tracker):
    """Writes event files for TensorBoard.

    Each start tells readers to forget what earlier files say of later iterations, so that a run that was
    resumed, rolled back or replayed shows each iteration once.

    Args:
        folder: of the event files; by default ``tensorboard/`` in the run folder.
    """

    def __init__(self, *, folder: str = "") -> None:
        self.folder = folder
        self._writer: Any = None

    def start(self, *, name: str, folder: Path, config: Mapping[str, Any], iteration: int) -> None:
        """Open an event file.

        Raises:
            PluginError: TensorBoard is not installed.
        """
        del name
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise PluginError(
                f"TensorBoard is not installed ({error}): pip install 'ebmkit-torch[tensorboard]'"
            ) from error
        target = Path(self.folder) if self.folder else folder / "tensorboard"
        self._writer = SummaryWriter(str(target), purge_step=iteration + 1)
        if iteration == 0:
            self._writer.add_text("config", _as_text(config), 0)

    def metrics(self, iteration: int, values: Mapping[str, float]) -> None:
        """One scalar for each figure; seconds in a group of their own."""
        for name, value in values.items():
            if math.isfinite(value):
                self._writer.add_scalar(name.replace("seconds_", "seconds/", 1), value, iteration)
        self._writer.flush()

    def images(self, iteration: int, name: str, examples: Tensor) -> None:
        """A grid of the set."""
        self._writer.add_images(name, examples.add(1).div(2).clamp(0, 1), iteration)

    def finish(self, status: str) -> None:
        """Close the file."""
        del status
        if self._writer is not None:
            self._writer.close()


def _as_text(config: Mapping[str, Any]) -> str:
    """The run file as an indented block, which TensorBoard shows as it is."""
    lines = []
    for table, keys in config.items():
        lines += [f"    [{table}]", *(f"    {key} = {value!r}" for key, value in keys.items()), "    "]
    return "\n".join(lines)
