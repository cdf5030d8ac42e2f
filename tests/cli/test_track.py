from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Ebmkit, Install

SHEET = """
    import json
    from ebmkit.core.tracker import Tracker
    from ebmkit.plugin import hookimpl

    class Lines(Tracker):
        def start(self, *, name, folder, config, iteration):
            self.file = open("lines.txt", "a")
            print(json.dumps([name, iteration, config["run"]["seed"]]), file=self.file)

        def metrics(self, iteration, values):
            print(json.dumps([iteration, values["energy_gap"]]), file=self.file)

        def images(self, iteration, name, examples):
            print(json.dumps([iteration, name, *examples.shape[1:]]), file=self.file)

        def finish(self, status):
            self.file.close()

    @hookimpl
    def ebmkit_trackers():
        return {"lines": Lines}
"""


@pytest.mark.usefixtures("exported")
def test_a_tracker_is_shown_each_iteration_and_each_picture_of_a_run_that_is_over(
    ebmkit: Ebmkit, install: Install
) -> None:
    install("lines", "lines_of_runs", SHEET)
    outcome = ebmkit("track", "coopnets", "--to", "lines")
    assert (outcome.code, outcome.out) == (0, "coopnets: 6 iterations shown to lines\n")
    start, *rest = [json.loads(line) for line in Path("lines.txt").read_text().splitlines()]
    assert start == ["coopnets", 0, 0]
    logged = [json.loads(line) for line in Path("runs/coopnets/metrics.jsonl").read_text().splitlines()]
    assert [each for each in rest if len(each) == 2] == [
        [line["iteration"], line["energy_gap"]] for line in logged
    ]
    assert {(each[0], each[1]) for each in rest if len(each) > 2} == {
        (iteration, name)
        for iteration in (3, 6)
        for name in ("observed", "proposal", "revised", "reconstructed")
    }


@pytest.mark.usefixtures("exported")
def test_a_tracker_that_is_not_installed_is_told_with_the_nearest(ebmkit: Ebmkit) -> None:
    outcome = ebmkit("track", "coopnets", "--to", "tensorbord")
    assert outcome.code == 4
    assert "no tracker named 'tensorbord'" in outcome.err
    assert "did you mean 'tensorboard'?" in outcome.err
