"""What a run shows to its trackers, whichever they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ebmkit.core.tracker import Tracker
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
