"""What a run shows to its trackers, whichever they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ebmkit.core import Chain, Examples
from ebmkit.core.tracker import Tracker
from ebmkit.report.traces import traces_of
from ebmkit.run.recorders import Figures
from ebmkit.run.tracking import Tracking
from ebmkit.storage.folder import RunFolder
from ebmkit.testing.parts import TinyEnergy
from ebmkit.training.loop import Report
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_langevin.langevin import Langevin
from tests.conftest import Ebmkit, Install
from tests.plugins.conftest import RunFile, Train
from tests.run.test_resume import metrics


def test_a_tracker_that_fails_is_left_out_and_the_run_is_the_same(train: Train) -> None:
    class Broken(Tracker):
        def metrics(self, iteration: int, values: Any) -> None:
            values.clear()  # its own copy
            raise ConnectionError("no network")

    folder = train(Broken)
    assert [line["iteration"] for line in metrics(folder.path)] == [1, 2, 3, 4, 5, 6]
    assert all("energy_gap" in line for line in metrics(folder.path))


def test_images_are_copies(train: Train) -> None:
    seen: list[torch.Tensor] = []

    class Scribbling(Tracker):
        def metrics(self, iteration: int, values: Any) -> None:
            pass

        def images(self, iteration: int, name: str, examples: torch.Tensor) -> None:
            seen.append(examples.fill_(float("nan")))

    train(Scribbling)
    assert len(seen) > 6


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


SHEET = """
    import json
    from pathlib import Path
    from ebmkit.core.tracker import Tracker
    from ebmkit.plugin import hookimpl

    class Sheet(Tracker):
        '''Writes a sheet.

        Args:
            title: its name.
        '''

        def __init__(self, *, title: str = "sheet") -> None:
            self.title = title
            self.file = None

        def start(self, *, name, folder, config, iteration):
            self.file = Path(folder) / self.title

        def metrics(self, iteration, values):
            with self.file.open("a") as sheet:
                sheet.write(json.dumps([iteration, *values]) + "\\n")

    @hookimpl
    def ebmkit_trackers():
        return {"sheet": Sheet}
"""


def test_a_table_of_the_run_file_brings_a_tracker_which_a_resumed_run_may_leave_out(
    run_file: RunFile, ebmkit: Ebmkit, install: Install
) -> None:
    install("sheets", "sheets", SHEET)
    file = run_file("coopnets")
    file.write_text(file.read_text() + '\n[trackers.mine]\nuse = "sheet"\ntitle = "figures"\n')
    assert ebmkit("run", file, "--set", "run.iterations=2").code == 0
    sheet = Path("runs/coopnets/figures")
    assert [json.loads(line)[0] for line in sheet.read_text().splitlines()] == [1, 2]
    config = Path("runs/coopnets/config.toml")
    config.write_text(config.read_text().replace('[trackers.mine]\nuse = "sheet"\ntitle = "figures"\n', ""))
    assert ebmkit("resume", "coopnets", "--set", "run.iterations=3").code == 0
    assert len(sheet.read_text().splitlines()) == 2
    assert "3 iterations shown to sheet" in ebmkit("track", "coopnets", "--to", "sheet").out
    assert len(Path("runs/coopnets/sheet").read_text().splitlines()) == 3
