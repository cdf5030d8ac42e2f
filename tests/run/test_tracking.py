"""What a tracker is handed, when, and by a replay."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.core import Chain, Examples
from ebmkit.core.tracker import Tracker
from ebmkit.report import MetricsLog, save_grid
from ebmkit.report.traces import traces_of
from ebmkit.run.recorders import Figures
from ebmkit.run.tracking import Tracking, replay
from ebmkit.storage.folder import RunFolder
from ebmkit.testing.parts import TinyEnergy
from ebmkit.training.loop import Report
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_langevin.langevin import Langevin
from tests.run.test_rollback import plant  # noqa: F401 - a fixture


def test_a_tracker_gets_plots_of_sequences(tmp_path: Path) -> None:
    seen: dict[str, torch.Tensor] = {}

    class Seeing(Tracker):
        def metrics(self, iteration: int, values: Any) -> None:
            pass

        def images(self, iteration: int, name: str, examples: torch.Tensor) -> None:
            seen[name] = examples

    x = torch.linspace(-1, 1, 30).view(2, 1, 15)
    sets = Examples(observed=x, revised=x[..., 0])
    recorder = Tracking("t", Seeing, RunFolder(tmp_path), {}, lambda _: False, lambda _: True, Figures())
    recorder.restart(0)
    schedule = DescriptorOnly(TinyEnergy((1, 15)), Chain(Langevin(step_size=0.1), 1), (1, 15))
    recorder.record(Report(1, sets, {}, {}, schedule))
    assert list(seen) == ["observed"]
    assert torch.equal(((seen["observed"] + 1) * 127.5).round(), traces_of(x).float())


class Notes(Tracker):
    """Writes down what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.shown: dict[tuple[int, str], torch.Tensor] = {}

    def start(self, *, name: str, folder: Path, config: Any, iteration: int) -> None:
        self.calls.append(("start", name, folder, dict(config), iteration))

    def metrics(self, iteration: int, values: Any) -> None:
        self.calls.append(("metrics", iteration, values))

    def images(self, iteration: int, name: str, examples: torch.Tensor) -> None:
        self.shown[iteration, name] = examples

    def finish(self, status: str) -> None:
        self.calls.append(("finish", status))


def reported(iteration: int, x: torch.Tensor) -> Report:
    schedule = DescriptorOnly(TinyEnergy(x.shape[1:]), Chain(Langevin(step_size=0.1), 1), x.shape[1:])
    return Report(iteration, Examples(observed=x, revised=x.flip(0)), {}, {}, schedule)


def test_after_a_rollback_a_new_tracker_begins_where_the_training_went_back_to(tmp_path: Path) -> None:
    made: list[Notes] = []

    def make() -> Notes:
        made.append(Notes())
        return made[-1]

    folder, config = RunFolder(tmp_path / "it"), {"run": {"seed": 3}}
    recorder = Tracking("t", make, folder, config, lambda at: at == 2, lambda _: False, Figures())
    recorder.restart(0)
    x = torch.zeros(2, 1, 4, 4)
    recorder.record(reported(1, x))
    recorder.record(reported(2, x))
    recorder.restart(1)
    recorder.close("finished")
    first, second = (notes.calls for notes in made)
    assert first[0] == ("start", folder.name, folder.path, config, 0)
    assert [call[:2] for call in first[1:]] == [("metrics", 2), ("finish", "diverged")]
    assert [call[-1] for call in second] == [1, "finished"]


def test_it_is_due_when_there_is_a_figure_or_a_picture(tmp_path: Path) -> None:
    recorder = Tracking(
        "t", Notes, RunFolder(tmp_path), {}, lambda at: at % 2 == 0, lambda at: at % 3 == 0, Figures()
    )
    assert [at for at in range(1, 8) if recorder.due(at)] == [2, 3, 4, 6]
    recorder.record(reported(2, torch.zeros(2, 1, 4, 4)))  # before it was started: nobody to hand it to
    recorder.close("failed")


def test_images_come_as_they_are_as_many_as_a_grid_has_and_in_memory_of_their_own(tmp_path: Path) -> None:
    notes = Notes()
    recorder = Tracking(
        "t", lambda: notes, RunFolder(tmp_path), {}, lambda _: False, lambda _: True, Figures()
    )
    recorder.restart(0)
    x = torch.linspace(-1, 1, 70 * 16).view(70, 1, 4, 4).half()
    recorder.record(reported(5, x))
    assert notes.shown.keys() == {(5, "observed"), (5, "revised")}
    assert torch.equal(notes.shown[5, "observed"], x[:64].float())
    assert torch.equal(notes.shown[5, "revised"], x.flip(0)[:64].float())
    notes.shown[5, "observed"].zero_()
    assert x[0, 0, 0, 0] == -1


def test_a_replay_is_every_line_and_every_grid_in_the_order_of_the_iterations(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "it")
    folder.path.mkdir()
    log = MetricsLog(folder.metrics, after=0)
    log.append(1, {"loss_energy": 0.5})
    log.append(4, {"loss_energy": math.nan, "seconds": 2.0})
    x = torch.linspace(-1, 1, 32).view(2, 1, 4, 4)
    for iteration, name in ((4, "revised"), (3, "observed-data")):
        save_grid(folder.grid(name, iteration), x)
    Image.new("P", (2, 2)).save(folder.path / "samples/palette-0000004.png")
    (folder.path / "samples/notes-x.png").write_bytes(b"of somebody else")
    notes = Notes()
    assert replay(folder, notes, {"run": {"seed": 3}}) == 3
    assert [call[0] for call in notes.calls] == ["start", "metrics", "metrics", "finish"]
    assert notes.calls[0][1:] == (folder.name, folder.path, {"run": {"seed": 3}}, 0)
    assert notes.calls[1] == ("metrics", 1, {"loss_energy": 0.5})
    assert notes.calls[2][2] == pytest.approx({"loss_energy": math.nan, "seconds": 2.0}, nan_ok=True)
    assert notes.calls[-1] == ("finish", "finished")
    assert [*notes.shown] == [(3, "observed-data"), (4, "palette"), (4, "revised")]
    pixels = np.asarray(Image.open(folder.grid("revised", 4)))
    assert torch.equal(((notes.shown[4, "revised"][0, 0] + 1) * 127.5).round(), torch.tensor(pixels).float())
    assert notes.shown[4, "palette"].shape == (1, 3, 2, 2)


def test_a_run_that_left_nothing_yet_is_begun_and_finished(tmp_path: Path) -> None:
    notes = Notes()
    assert replay(RunFolder(tmp_path), notes, {}) == 0
    assert [call[0] for call in notes.calls] == ["start", "finish"]
