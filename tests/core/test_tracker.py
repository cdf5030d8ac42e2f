from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.core import Chain, Examples
from ebmkit.core.tracker import Tracker
from ebmkit.run.recorders import Figures
from ebmkit.run.tracking import Tracking
from ebmkit.storage.folder import RunFolder
from ebmkit.testing.parts import TinyEnergy
from ebmkit.training.loop import Report
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_langevin.langevin import Langevin

CALLS: list[tuple[Any, ...]] = []


class Least(Tracker):
    """No more than a tracker must have."""

    def metrics(self, iteration: int, values: Mapping[str, float]) -> None:
        CALLS.append(("metrics", iteration, sorted(values)))


class Diary(Least):
    """Writes down every call."""

    def start(self, *, name: str, folder: Path, config: Mapping[str, Any], iteration: int) -> None:
        CALLS.append(("start", name, folder, config, iteration))

    def images(self, iteration: int, name: str, examples: Tensor) -> None:
        CALLS.append(("images", iteration, name, tuple(examples.shape)))

    def finish(self, status: str) -> None:
        CALLS.append(("finish", status))


def watched(tracker: type[Tracker], folder: Path) -> list[tuple[Any, ...]]:
    """The calls of two iterations, a rollback and another one."""
    CALLS.clear()
    shape = (1, 4, 4)
    schedule = DescriptorOnly(TinyEnergy(shape), Chain(Langevin(step_size=0.1), 1), shape)
    recorder = Tracking(
        "t", tracker, RunFolder(folder), {"a": 1}, lambda _: True, lambda i: i == 2, Figures()
    )
    sets = Examples(observed=torch.zeros(3, *shape), revised=torch.zeros(2, *shape))
    recorder.restart(0)
    for iteration in (1, 2):
        recorder.record(Report(iteration, sets, {"energy": torch.tensor(1.0)}, {}, schedule))
    recorder.restart(1)
    recorder.record(Report(3, sets, {}, {}, schedule))
    recorder.close("finished")
    return list(CALLS)


def test_a_run_calls_start_then_figures_and_images_then_finish_once(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    calls = watched(Diary, folder)
    name = RunFolder(folder).name
    begins = [("start", name, folder, {"a": 1}, iteration) for iteration in (0, 1)]
    assert [call for call in calls if call[0] == "start"] == begins
    assert [call[:2] for call in calls] == [
        ("start", name),
        ("metrics", 1),
        ("metrics", 2),
        ("images", 2),
        ("images", 2),
        ("finish", "diverged"),
        ("start", name),
        ("metrics", 3),
        ("finish", "finished"),
    ]
    assert [call[2:] for call in calls if call[0] == "images"] == [
        ("observed", (3, 1, 4, 4)),
        ("revised", (2, 1, 4, 4)),
    ]


def test_figures_are_all_that_a_tracker_must_take(tmp_path: Path) -> None:
    assert [call[:2] for call in watched(Least, tmp_path)] == [("metrics", k) for k in (1, 2, 3)]

    class Deaf(Tracker):
        pass

    with pytest.raises(TypeError, match="metrics"):
        Deaf()  # type: ignore[abstract]
