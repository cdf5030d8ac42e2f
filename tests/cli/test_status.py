"""``ebmkit status``: how a run is doing, in one screen and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.storage.best import Best, keep_best
from tests.conftest import Ebmkit
from tests.run.test_rollback import plant  # noqa: F401 - a fixture

RunFile = Callable[[str], Path]
RUN = Path("runs/coopnets")


@pytest.fixture
def trained(run_file: RunFile, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch) -> Ebmkit:
    """The command, beside a finished run."""
    monkeypatch.setenv("COLUMNS", "80")
    assert ebmkit("run", run_file("coopnets")).code == 0
    return ebmkit


def test_what_is_asked_first_comes_first_and_fits_one_screen(trained: Ebmkit) -> None:
    metrics = RUN / "metrics.jsonl"
    with metrics.open("a") as file:
        file.write('{"iteration": 7, "energy_gap": ')  # being written
    (RUN / "checkpoints/iteration-0000006").rename(RUN / "checkpoints/iteration-0000006.new")
    (RUN / "checkpoints/.iteration-0000007-123").mkdir()
    keep_best(RUN / "checkpoints", Best("kid", 0.0125, 4))
    lines = trained("status").out.splitlines()
    assert lines[0].startswith("coopnets: finished ")
    assert lines[0].endswith("ago; iteration 6 of 6")
    assert lines[1].startswith("  checkpoints 2, 4, 6, the last one ")
    assert lines[2] == "  best kid 0.0125, iteration 4"
    assert lines[3].endswith("iterations a second")
    assert lines[4].startswith("  seconds by stage: ")
    assert lines[5].split()[-3:] == ["6", "logged", "iterations"]
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert not any(line.startswith("seconds_") for line in lines)


def test_the_curve_is_that_of_the_figures(trained: Ebmkit) -> None:
    written = [json.loads(line) for line in (RUN / "metrics.jsonl").read_text().splitlines()]
    rows = {line.split()[0]: line.split()[1:] for line in trained("status").out.splitlines()[5:]}
    first, last, curve = rows["energy_gap"]
    assert float(first) == pytest.approx(written[0]["energy_gap"], rel=1e-3)
    assert float(last) == pytest.approx(written[-1]["energy_gap"], rel=1e-3)
    gaps = [line["energy_gap"] for line in written]
    assert len(curve) == 6
    assert curve[gaps.index(max(gaps))] == "█"
    assert curve[gaps.index(min(gaps))] == "▁"
    everything = {line.split()[0] for line in trained("status", "--all").out.splitlines()[5:]}
    assert everything == {name for name in written[0] if not name.startswith(("iteration", "seconds"))}
    assert rows.keys() < everything


def test_a_figure_that_spans_decades_has_a_curve_of_its_logarithm(trained: Ebmkit) -> None:
    values = (1.0, 10.0, 100.0, 1000.0)
    lines = [json.dumps({"iteration": at, "energy_gap": value}) for at, value in enumerate(values, 1)]
    (RUN / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    (row,) = [line for line in trained("status").out.splitlines() if line.startswith("energy_gap")]
    assert row.split() == ["energy_gap", "(log)", "1", "1000", "▁▃▆█"]


def test_damaged_files_are_passed_over(trained: Ebmkit) -> None:
    (RUN / "metrics.jsonl").write_text('{"iteration": 4, "a": NaN, "b": "x", "c": 2}\n[]\n')
    (RUN / "config.toml").write_text("run = 3\n")
    (RUN / "ended.json").write_text("[")
    lines = trained("status").out.splitlines()
    assert lines[0].startswith("coopnets: killed ")
    assert lines[0].endswith("iteration 6 of ?")
    assert [line.split()[0] for line in lines[2:]] == ["figure", "c"]


def test_several_runs_stand_side_by_side(trained: Ebmkit, run_file: RunFile) -> None:
    assert trained("run", run_file("descriptor-only"), "--set", "run.iterations=2").code == 0
    lines = trained("status", "coopnets", "descriptor-only").out.splitlines()
    assert lines[0].split() == ["coopnets", "descriptor-only"]
    rows = {line.split()[0]: line for line in lines}
    assert "6 of 6" in rows["iteration"]
    assert "2 of 2" in rows["iteration"]
    assert rows["reconstruction_error"].split()[-1] == "-"


def test_a_diverged_run_says_so(
    run_file: RunFile,
    ebmkit: Ebmkit,
    plant: Callable[..., None],  # noqa: F811
) -> None:
    plant((6, 0))
    assert ebmkit("run", run_file("coopnets"), "--set", "guard.rollbacks=0").code == 6
    assert ebmkit("status").out.startswith("coopnets: diverged ")


def test_it_needs_no_torch(trained: Ebmkit) -> None:
    code = "import sys; sys.modules['torch'] = None; sys.argv = ['ebmkit', 'status']\n"
    code += "from ebmkit.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("coopnets: finished ")
