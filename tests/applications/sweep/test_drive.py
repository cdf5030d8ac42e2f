"""Sweeps as a user runs them; they need the extra [sweep]."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from ebmkit.applications.sweep.drive import drive
from ebmkit.run.signals import StopFlag
from tests.applications.sweep.conftest import Search
from tests.applications.sweep.searches import DRAWN, STEPS, study_of, weights
from tests.conftest import Ebmkit, Install
from tests.processes import ONE_THREAD


def test_a_grid_over_two_values_is_exactly_those_runs(search: Search, ebmkit: Ebmkit) -> None:
    path = search('sampler = "grid"', STEPS)
    done = ebmkit("sweep", path)
    assert done.code == 0
    study = study_of(path)
    assert [(each.values, each.state) for each in study.trials()] == [
        ({"revision.steps": "1"}, "finished"),
        ({"revision.steps": "2"}, "finished"),
    ]
    for trial in study.trials():
        lines = [json.loads(line) for line in trial.folder.metrics.read_text().splitlines()]
        assert trial.value == lines[-1]["loss_energy"]
        steps = trial.values["revision.steps"]
        alone = ["--set", f"revision.steps={steps}", "--set", f"run.output=alone{steps}", "--unset", "sweep"]
        assert ebmkit("run", path, *alone).code == 0
        assert weights(trial.folder.path) == weights(Path(f"alone{steps}"))
    page = Path("runs/search/report.html").read_text()
    assert "search/0000" in page
    assert "<code>revision.steps</code>" in page
    before = sorted(Path("runs").rglob("*"))
    again = ebmkit("sweep", path)
    assert "trial 0 of" not in again.out
    assert sorted(Path("runs").rglob("*")) == before


def test_a_trial_that_a_signal_stops_is_resumed_to_the_bits_of_an_uninterrupted_one(
    search: Search, ebmkit: Ebmkit
) -> None:
    path = search('sampler = "grid"\npruner = "median"', STEPS, iterations=6)
    assert ebmkit("sweep", path, "--set", "sweep.name=whole").code == 0
    stop, study = StopFlag(), study_of(path)
    reports = study.report

    class Stopping:
        """The study, in whose second trial somebody presses Ctrl-C."""

        file, next, finish = study.file, study.next, study.finish

        def report(self, trial: object, iteration: int, value: float) -> bool:
            if (trial.number, iteration) == (1, 3):  # type: ignore[attr-defined]
                stop.ask(signal.SIGINT)
            return reports(trial, iteration, value)  # type: ignore[arg-type]

    assert drive(Stopping(), Console(quiet=True), stop) == 130  # type: ignore[arg-type]
    assert [each.state for each in study.trials()] == ["finished", "resumable"]
    assert study.trials()[1].folder.saved()[-1] == 3
    done = ebmkit("sweep", path)
    assert done.code == 0
    assert "from iteration 3 to 6" in done.out
    assert sorted(each.name for each in Path("runs/search").glob("0*")) == ["0000", "0001"]
    for number in ("0000", "0001"):
        assert weights(Path("runs/search", number)) == weights(Path("runs/whole", number))
    assert [each.value for each in study.trials()] == [
        each.value for each in study_of(path, "sweep.name=whole").trials()
    ]


@pytest.mark.slow
def test_a_sweep_that_is_killed_goes_on_with_the_same_trial_to_the_same_bits(
    search: Search, ebmkit: Ebmkit
) -> None:
    path = search('sampler = "random"\ntrials = 2\npruner = "median"', DRAWN, iterations=60)
    assert ebmkit("sweep", path, "--set", "sweep.name=whole").code == 0
    with subprocess.Popen([sys.executable, "-m", "ebmkit", "sweep", path], env=ONE_THREAD) as process:
        metrics = Path("runs/search/0001/metrics.jsonl")
        while not metrics.exists() or metrics.read_bytes().count(b"\n") < 7:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    study = study_of(path)
    assert [each.state for each in study.trials()] == ["finished", "resumable"]
    assert ebmkit("sweep", path).code == 0
    whole = study_of(path, "sweep.name=whole").trials()
    assert [(each.values, each.value) for each in study.trials()] == [
        (each.values, each.value) for each in whole
    ]
    for number in ("0000", "0001"):
        assert weights(Path("runs/search", number)) == weights(Path("runs/whole", number))


def test_a_trial_that_fails_is_noted_with_its_exit_code_and_the_others_go_on(
    search: Search, ebmkit: Ebmkit, install: Install
) -> None:
    install(
        "ebmkit-shaky",
        "ebmkit_shaky",
        """
        import attrs
        from ebmkit.core import Position, Sampler
        from ebmkit.plugin import hookimpl

        @attrs.frozen(kw_only=True)
        class Shaky(Sampler):
            breaks: bool = False

            def step(self, energy, state, rng):
                if self.breaks:
                    raise RuntimeError("broken")
                return Position(state.x + 0.01 * rng.normal(state.x)), {}

        @hookimpl
        def ebmkit_samplers():
            return {"shaky": Shaky}
        """,
    )
    ranges = '"revision.breaks" = { choices = [true, false] }'
    path = search('sampler = "grid"', ranges)
    path.write_text(path.read_text().replace('"langevin"', '"shaky"').replace("step_size = 0.03", ""))
    done = ebmkit("sweep", path)
    assert done.code == 0
    trials = study_of(path).trials()
    assert [(each.state, each.exit_code) for each in trials] == [("failed", 4), ("finished", 0)]
    assert "raised RuntimeError: broken" in trials[0].reason
    assert "failed (4)" in done.out
    assert "trial 0 of" not in ebmkit("sweep", path).out


def test_a_trial_that_diverges_is_told_from_one_that_fails(search: Search, ebmkit: Ebmkit) -> None:
    path = search('sampler = "grid"', '"energy.optimizer.lr" = { choices = [1e4] }', iterations=60)
    path.write_text(path.read_text() + "[guard]\nrollbacks = 0\n")
    done = ebmkit("sweep", path)
    assert done.code == 6
    (trial,) = study_of(path).trials()
    assert (trial.state, trial.exit_code, trial.value) == ("diverged", 6, None)


def test_a_trial_that_is_worse_than_the_median_ends_early_and_is_saved(
    search: Search, ebmkit: Ebmkit
) -> None:
    keys = 'sampler = "grid"\npruner = "median"\nstartup = 1\nwarmup = 2'
    path = search(keys, '"revision.step_size" = { choices = [0.001, 0.05] }', iterations=6)
    path.write_text(path.read_text().replace('"loss_energy"', '"chain_displacement"'))
    done = ebmkit("sweep", path)
    assert done.code == 0
    first, second = study_of(path).trials()
    assert (first.state, second.state) == ("finished", "pruned")
    assert second.folder.saved()[-1] in (2, 3)
    assert "nothing to do" not in ebmkit("resume", "search/0001").out


def test_another_sweep_of_the_same_name_is_refused(search: Search, ebmkit: Ebmkit) -> None:
    path = search('sampler = "random"\ntrials = 1', DRAWN)
    assert ebmkit("sweep", path).code == 0
    for change, said in (
        ("sweep.seed=1", "seed was 0, is 1"),
        ("revision.graph=true", "revision.graph was false, is true"),
        ("run.iterations=3", "run.iterations was 2, is 3"),
    ):
        refused = ebmkit("sweep", path, "--set", change)
        assert refused.code == 2
        assert said in refused.err
    assert ebmkit("sweep", path, "--set", "sweep.trials=2").code == 0
    assert len(study_of(path).trials()) == 2


def test_a_metric_that_no_run_logs_is_told_with_those_there_are(search: Search, ebmkit: Ebmkit) -> None:
    path = search('sampler = "grid"', '"revision.steps" = { choices = [1] }')
    done = ebmkit("sweep", path, "--set", "sweep.metric=kidd")
    assert done.code == 3
    assert "trial 0: it logged no kidd, but: " in done.out
    assert "loss_energy" in done.out.partition("it logged no kidd")[2]


def test_several_processes_of_one_training_are_refused(
    search: Search, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused = ebmkit("sweep", search('sampler = "grid"', STEPS))
    assert refused.code == 2
    assert "start the same command several times" in refused.err
