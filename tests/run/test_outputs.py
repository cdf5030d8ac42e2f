"""The recorders that people read, each by itself: what it writes, when, and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from ebmkit.core import Chain, Examples
from ebmkit.errors import TrainingError
from ebmkit.run.outputs import Ending, Grids, Metrics, Page, Progress
from ebmkit.run.recorders import Every, Figures
from ebmkit.storage.folder import RunFolder
from ebmkit.testing.parts import TinyEnergy
from ebmkit.training.loop import Report
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_langevin.langevin import Langevin
from tests.storage.test_durable import small_files

IMAGES = torch.linspace(-1, 1, 3 * 16).view(3, 1, 4, 4)


def report(iteration: int, x: Tensor = IMAGES, **sets: Tensor) -> Report:
    shape = x.shape[1:]
    schedule = DescriptorOnly(TinyEnergy(shape), Chain(Langevin(step_size=0.1), 1), shape)
    return Report(
        iteration, Examples(observed=x, **sets), {"data": 0.5}, {"loss_energy": torch.ones(())}, schedule
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "it").mkdir()
    return RunFolder(tmp_path / "it")


def lines(folder: RunFolder) -> list[dict[str, float]]:
    return [json.loads(line) for line in folder.metrics.read_text().splitlines()]


def test_the_metrics_have_a_line_an_iteration_and_forget_those_that_are_done_again(folder: RunFolder) -> None:
    figures = Figures()
    recorder = Metrics(folder, Every(2, 5), figures)
    assert [each for each in range(1, 6) if recorder.due(each)] == [2, 4, 5]
    recorder.restart(0)
    for iteration in (2, 4):
        recorder.record(report(iteration))
    recorder.restart(2)
    assert [line["iteration"] for line in lines(folder)] == [2]
    later = report(4)
    figures.add(later, {"evaluation_kid": 0.25})
    recorder.record(later)
    assert [line["iteration"] for line in lines(folder)] == [2, 4]
    last = lines(folder)[-1]
    assert (last["loss_energy"], last["seconds_data"], last["evaluation_kid"]) == (1.0, 0.5, 0.25)


def test_metrics_that_cannot_be_written_end_the_run_with_the_way_on(folder: RunFolder) -> None:
    recorder = Metrics(folder, Every(1, 5), Figures())
    recorder.restart(0)
    said = f"the last checkpoint is intact: ebmkit resume {folder.name}"
    with small_files(limit=0), pytest.raises(TrainingError, match=said):
        recorder.record(report(1))


def test_a_grid_is_drawn_of_each_set_that_can_be_drawn(folder: RunFolder) -> None:
    recorder = Grids(folder, Every(3, 7))
    assert [each for each in range(1, 8) if recorder.due(each)] == [3, 6, 7]
    recorder.record(report(6, revised=IMAGES.flip(0), latents=torch.zeros(3, 1, 4, 4)))
    found = {path.name: np.asarray(Image.open(path)) for path in (folder.path / "samples").iterdir()}
    assert found.keys() == {"observed-0000006.png", "revised-0000006.png"}
    first = ((IMAGES[0, 0] + 1) * 127.5).round().byte().numpy()
    assert np.array_equal(found["observed-0000006.png"][:4, :4], first)


def test_of_vectors_there_is_no_picture(folder: RunFolder) -> None:
    Grids(folder, Every(1, 1)).record(report(1, torch.zeros(3, 5)))
    assert not (folder.path / "samples").exists()


def test_progress_speaks_whether_its_display_is_open_or_not() -> None:
    written = io.StringIO()
    recorder = Progress(Console(file=written), 4, Every(2, 4), Figures())
    assert all(recorder.due(each) for each in range(1, 5))
    recorder.say("before")
    recorder.restart(0)
    recorder.say("meanwhile")
    recorder.record(report(1))
    assert "E(data)" not in written.getvalue()  # nothing is logged of the first iteration
    recorder.record(report(2))
    recorder.saved(2)
    recorder.close("finished")
    recorder.say("afterwards")
    out = written.getvalue()
    assert [out.index(word) for word in ("before", "meanwhile", "E(data)", "afterwards")] == sorted(
        out.index(word) for word in ("before", "meanwhile", "E(data)", "afterwards")
    )


def test_nothing_is_shown_to_whom_nothing_was_opened() -> None:
    written = io.StringIO()
    recorder = Progress(Console(file=written), 4, Every(1, 4), Figures())
    recorder.record(report(1))
    recorder.saved(1)
    recorder.close("failed")
    assert written.getvalue() == ""


@pytest.mark.parametrize("status", ["finished", "stopped", "diverged", "failed"])
def test_how_a_run_ended_is_written_down_until_it_goes_on(status: str, folder: RunFolder) -> None:
    recorder = Ending(folder)
    recorder.restart(0)  # there is nothing to forget
    recorder.close(status)  # type: ignore[arg-type]
    assert json.loads(folder.ended.read_text()) == {"status": status}
    recorder.restart(3)
    assert not folder.ended.exists()


def test_what_counts_at_the_end_alone_takes_no_iteration(folder: RunFolder) -> None:
    for recorder in (Ending(folder), Page(folder)):
        assert not any(recorder.due(each) for each in range(10))
        assert not recorder.gathers
        recorder.record(report(1))
    assert [*folder.path.iterdir()] == []


def test_the_page_is_written_of_whatever_a_run_left(folder: RunFolder) -> None:
    folder.config.write_text("[run]\niterations = 3\n")
    metrics = Metrics(folder, Every(1, 3), Figures())
    metrics.restart(0)
    metrics.record(report(1))
    Page(folder).close("failed")
    text = (folder.path / "report.html").read_text()
    assert text.lower().startswith("<!doctype html>")
    assert folder.name in text
