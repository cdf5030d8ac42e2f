"""The recorder that hands a run to a tracker, and the replay of a run that has no tracker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import attrs
import torch
from torch import Tensor

from ebmkit.core.tracker import Tracker
from ebmkit.pictures.formats import open_picture
from ebmkit.report.grids import are_images, can_be_drawn, tiles_of
from ebmkit.report.metrics import read_metrics
from ebmkit.run.recorders import Figures, Recorder, Status
from ebmkit.storage.folder import RunFolder
from ebmkit.training.loop import Report

__all__ = ["Tracking", "replay"]

_SHOWN = 64
"""Examples of a set that a tracker gets, as many as a grid of the run folder has."""


@final
@attrs.define
class Tracking(Recorder):
    """Hands figures and images to a tracker.

    After a rollback the tracker is finished, and a new one starts at the iteration gone back to, as in a
    resumed run: so each iteration is shown once.

    Attributes:
        name: of the tracker, in messages.
        make: gives a new one.
        folder: of the run.
        config: the resolved run file.
        logged: when there are figures.
        drawn: when there are pictures.
        figures: of the newest report.
    """

    name: str
    make: Callable[[], Tracker]
    folder: RunFolder
    config: Mapping[str, Any]
    logged: Callable[[int], bool]
    drawn: Callable[[int], bool]
    figures: Figures
    _tracker: Tracker | None = None

    def due(self, iteration: int) -> bool:
        """When there is something to show."""
        return self.logged(iteration) or self.drawn(iteration)

    def restart(self, iteration: int) -> None:
        """Start, or start again."""
        if self._tracker is not None:
            self._tracker.finish("diverged")
        self._tracker = self.make()
        self._tracker.start(
            name=self.folder.name, folder=self.folder.path, config=self.config, iteration=iteration
        )

    def record(self, report: Report) -> None:
        """Hand over what there is of this iteration."""
        if self._tracker is None:
            return
        if self.logged(report.iteration):
            self._tracker.metrics(report.iteration, dict(self.figures.of(report)))
        if self.drawn(report.iteration):
            sets = {**report.examples._asdict(), "reconstructed": report.reconstructed}
            sets.pop("latents")
            for name, x in sets.items():
                if x is not None and can_be_drawn(x):
                    self._tracker.images(report.iteration, name, _shown(x[:_SHOWN]))

    def close(self, status: Status) -> None:
        """Finish, with the exit code that goes with the end of the run."""
        if self._tracker is not None:
            self._tracker.finish(status)


def replay(folder: RunFolder, tracker: Tracker, config: Mapping[str, Any]) -> int:
    """Show a tracker a run from its files, as if it had been there: every line of metrics, every sample grid.

    Args:
        folder: of the run, which may be training.
        tracker: a new one.
        config: the resolved run file.

    Returns:
        how many iterations had something to show.
    """
    lines = {int(line["iteration"]): line for line in read_metrics(folder.metrics)}
    grids = _grids(folder)
    iterations = sorted(lines.keys() | grids.keys())
    tracker.start(name=folder.name, folder=folder.path, config=config, iteration=0)
    for iteration in iterations:
        figures = {name: value for name, value in lines.get(iteration, {}).items() if name != "iteration"}
        if figures:
            tracker.metrics(iteration, figures)
        for name, path in grids.get(iteration, {}).items():
            tracker.images(iteration, name, _picture(path)[None])
    tracker.finish("finished")
    return len(iterations)


def _shown(x: Tensor) -> Tensor:
    """Images as they are, and plots of sequences, ``(n, C, H, W)`` in [-1, 1] on the CPU."""
    if are_images(x):
        return x.detach().float().cpu().clone()
    return tiles_of(x) / 127.5 - 1


def _grids(folder: RunFolder) -> dict[int, dict[str, Any]]:
    """The sample grids by iteration and set."""
    found: dict[int, dict[str, Any]] = {}
    for path in sorted((folder.path / "samples").glob("*-*.png")):
        name, _, iteration = path.stem.rpartition("-")
        if iteration.isdecimal():
            found.setdefault(int(iteration), {})[name] = path
    return found


def _picture(path: Any) -> Tensor:
    """A picture as an example: ``(C, H, W)`` in [-1, 1]."""
    with path.open("rb") as file, open_picture(file) as opened:
        image = opened if opened.mode in ("L", "RGB") else opened.convert("RGB")
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        return pixels.view(image.height, image.width, -1).permute(2, 0, 1) / 127.5 - 1
