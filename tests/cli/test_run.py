from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.pictures import picture_size
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_a_run_leaves_config_metrics_grids_and_checkpoints(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets"), "--set", "revision.temperature=0.5").code == 0
    folder = Path("runs/coopnets")
    assert "temperature = 0.5" in (folder / "config.toml").read_text()
    line = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["iteration"] == 6
    for name in ("observed", "proposal", "revised", "reconstructed"):
        assert f"energy_{name}" in line
        # Five observed images of 16 pixels in a row, and four others in a square, with gaps of 2.
        size = (88, 16) if name == "observed" else (34, 34)
        assert picture_size(folder / f"samples/{name}-0000006.png") == size
    assert line["energy_gap"] == pytest.approx(line["energy_observed"] - line["energy_revised"])
    assert line["catch_up"] == pytest.approx(line["reconstruction_error"] / line["chain_displacement"])
    assert {
        "gradient_energy",
        "gradient_generator",
        "revision_gradient_share",
        "seconds_revision",
    } <= line.keys()
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "iteration-0000002",  # not yet healthy for long enough, and kept until it is known
        "iteration-0000004",
        "iteration-0000006",
    ]


def test_the_resolved_config_is_a_run_file_of_the_same_run(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets-rigorous"))
    again = Path("again.toml")
    again.write_bytes(Path("runs/coopnets-rigorous/config.toml").read_bytes())
    assert ebmkit("run", again).code == 0
    assert Path("runs/again/config.toml").read_text() == again.read_text()


def test_a_second_run_into_the_same_folder_is_refused(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    ebmkit("run", file)
    before = Path("runs/coopnets/metrics.jsonl").read_bytes()
    outcome = ebmkit("run", file)
    assert outcome.code == 2
    assert "ebmkit resume coopnets" in outcome.err
    assert Path("runs/coopnets/metrics.jsonl").read_bytes() == before


def test_run_resume_starts_a_run_once_and_continues_it_after(run_file: RunFile, ebmkit: Ebmkit) -> None:
    """One command for a batch system that runs it again: the bits are those of a run in one go."""
    file = run_file("coopnets")
    plain = ebmkit("run", file, "--set", "run.output=plain")
    assert plain.code == 0
    resumed = ["run", file, "--resume", "--set", "run.output=requeued"]
    first = ebmkit(*resumed, "--set", "run.iterations=2")
    assert (first.code, ebmkit(*resumed).code) == (0, 0)
    one, two = (max(Path(name).glob("checkpoints/*")) for name in ("plain", "requeued"))
    assert one.name == two.name
    assert (one / "energy.safetensors").read_bytes() == (two / "energy.safetensors").read_bytes()
    assert ebmkit(*resumed).code == 0  # there is nothing left to do


def test_a_folder_of_something_else_is_refused(run_file: RunFile, ebmkit: Ebmkit) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").touch()
    outcome = ebmkit("run", run_file("coopnets"), "--set", "run.output=mine")
    assert outcome.code == 2
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.tex"]


def test_a_diverging_run_stops_before_the_weights_are_harmed(run_file: RunFile, ebmkit: Ebmkit) -> None:
    sets = (
        "--set",
        "revision.step_size=1e9",
        "--set",
        "revision.steps=30",
        "--set",
        "run.checkpoint_every=1",
    )
    outcome = ebmkit("run", run_file("coopnets"), *sets)
    assert outcome.code == 6
    assert "not applied" in outcome.err
    assert "Traceback" not in outcome.err
