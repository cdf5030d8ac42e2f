"""Weights & Biases, and every module with its three calls: ``init``, ``log``, ``finish`` (trackio is one)."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

from torch import Tensor

from ebmkit.core.tracker import Tracker
from ebmkit.errors import PluginError

__all__ = ["WandB"]


@final
class WandB(Tracker):
    """Logs to W&B or to trackio, whose interface is the same.

    A run that is resumed or rolled back becomes a run of its own there, with its first iteration in the name:
    neither service takes back what it was given.

    Args:
        module: which is imported: ``wandb`` or ``trackio``.
        project: the project's name there.
    """

    def __init__(self, *, module: Literal["wandb", "trackio"] = "wandb", project: str = "ebmkit") -> None:
        self.module = module
        self.project = project
        self._service: Any = None

    def start(self, *, name: str, folder: Path, config: Mapping[str, Any], iteration: int) -> None:
        """Begin a run.

        Raises:
            PluginError: the module is not installed.
        """
        del folder
        try:
            self._service = importlib.import_module(self.module)
        except ImportError as error:
            message = f"{self.module} is not installed ({error}): pip install {self.module}"
            raise PluginError(message) from error
        shown = f"{name} from {iteration}" if iteration else name
        self._service.init(project=self.project, name=shown, config=dict(config))

    def metrics(self, iteration: int, values: Mapping[str, float]) -> None:
        """All figures of an iteration."""
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        self._service.log(finite, step=iteration)

    def images(self, iteration: int, name: str, examples: Tensor) -> None:
        """The set, side by side as one picture."""
        row = examples.add(1).mul(127.5).round().clamp(0, 255).byte()
        picture = row.permute(2, 0, 3, 1).flatten(1, 2).numpy()  # (H, n * W, C)
        picture = picture.repeat(3, axis=2) if picture.shape[2] == 1 else picture
        self._service.log({name: self._service.Image(picture)}, step=iteration)

    def finish(self, status: str) -> None:
        """End the run."""
        del status
        if self._service is not None:
            self._service.finish()
