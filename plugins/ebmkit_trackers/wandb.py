"""Weights & Biases, and every module with its three calls: ``init``, ``log``, ``finish`` (trackio is one)."""

from __future__ import annotations

import importlib
import json
import math
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

from torch import Tensor

from ebmkit.core.tracker import Tracker
from ebmkit.errors import PluginError

__all__ = ["WandB"]


_NOTED = "tracked.json"
"""In a folder named after the module: which run there this one is, and how far it was shown."""


@final
class WandB(Tracker):
    """Logs to W&B or to trackio, whose interface is the same.

    A run that is resumed goes on as the same run there, which ``wandb/tracked.json`` in the run folder names,
    and iterations that were shown already, since the checkpoint it goes on from, are not shown again. A run
    that is rolled back becomes a run of its own there, with its first iteration in the name: the iterations
    gone back over come out otherwise, and neither service takes back what it was given.

    Args:
        module: which is imported: ``wandb`` or ``trackio``.
        project: the project's name there.
    """

    def __init__(self, *, module: Literal["wandb", "trackio"] = "wandb", project: str = "ebmkit") -> None:
        self.module = module
        self.project = project
        self._service: Any = None
        self._file = Path()
        self._noted: dict[str, Any] = {}
        self._shown = 0

    def start(self, *, name: str, folder: Path, config: Mapping[str, Any], iteration: int) -> None:
        """Begin a run, or go on with the one that was stopped.

        Raises:
            PluginError: the module is not installed.
        """
        try:
            self._service = importlib.import_module(self.module)
        except ImportError as error:
            message = f"{self.module} is not installed ({error}): pip install {self.module}"
            raise PluginError(message) from error
        self._file = folder / self.module / _NOTED
        found = _read(self._file, self.project) if iteration else None
        self._shown = found["last"] if found is not None else iteration
        shown = f"{name} from {iteration}" if iteration else name
        self._noted = found or {"project": self.project, "name": shown, "id": secrets.token_hex(4)}
        # trackio knows runs by their names; of W&B's an identifier of ours makes a new one, or is that one.
        same = {"id": self._noted["id"]} if self.module == "wandb" else {}
        resume = "allow" if found is not None or same else "never"
        named = self._noted["name"]
        self._service.init(project=self.project, name=named, config=dict(config), resume=resume, **same)
        self._note(self._shown)

    def metrics(self, iteration: int, values: Mapping[str, float]) -> None:
        """All figures of an iteration."""
        if iteration <= self._shown:
            return
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        self._service.log(finite, step=iteration)
        self._note(iteration)

    def images(self, iteration: int, name: str, examples: Tensor) -> None:
        """The set, side by side as one picture."""
        if iteration <= self._shown:
            return
        row = examples.add(1).mul(127.5).round().clamp(0, 255).byte()
        picture = row.permute(2, 0, 3, 1).flatten(1, 2).numpy()  # (H, n * W, C)
        picture = picture.repeat(3, axis=2) if picture.shape[2] == 1 else picture
        self._service.log({name: self._service.Image(picture)}, step=iteration)

    def finish(self, status: str) -> None:
        """End the run; one that diverged is not gone on with."""
        if self._service is None:
            return
        if status == "diverged":
            self._file.unlink(missing_ok=True)
        self._service.finish()

    def _note(self, iteration: int) -> None:
        """Remember that the run there has this iteration."""
        self._file.parent.mkdir(exist_ok=True)
        new = self._file.with_suffix(".tmp")
        new.write_text(json.dumps({**self._noted, "last": iteration}), encoding="utf-8")
        new.replace(self._file)


def _read(file: Path, project: str) -> dict[str, Any] | None:
    """Which run of the project is gone on with; None where none is, or what stands there is damaged."""
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
        types = {"project": str, "name": str, "id": str, "last": int}
        right = all(isinstance(noted[name], each) for name, each in types.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(noted) if right and noted["project"] == project else None
