from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from ebmkit.applications.sweep.study import Study
from ebmkit.applications.sweep.table import ranked, table_of, write_sweep_page
from tests.applications.sweep.conftest import Search
from tests.applications.sweep.searches import study_of

VALUES = {0: 2.0, 1: -1.0, 3: 0.123456789}


@pytest.fixture
def path(search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ranges = '"revision.step_size" = { choices = [1e-3, 0.123456789, 0.2, 0.3] }\n'
    return search('sampler = "grid"', f'{ranges}"energy.use" = {{ choices = ["descriptor"] }}')


def tried(path: Path, *overrides: str) -> Study:
    """A study of four trials, of which the one of number 2 failed."""
    study = study_of(path, *overrides)
    for number in range(4):
        with study.next() as trial:
            assert trial is not None
            if number in VALUES:
                study.finish(trial, VALUES[number])
            else:
                study.fail(trial, "failed", 4, "broken")
    return study


@pytest.mark.parametrize(("direction", "order"), [("minimize", [1, 3, 0, 2]), ("maximize", [0, 3, 1, 2])])
def test_the_best_comes_first_and_what_has_no_value_last(
    direction: str, order: list[int], path: Path
) -> None:
    study = tried(path, f"sweep.direction={direction}")
    assert [trial.number for trial in ranked(study)] == order


def test_a_row_says_how_a_trial_ended_what_it_is_worth_and_its_values(path: Path) -> None:
    study = tried(path)
    console = Console(file=io.StringIO(), width=200)
    console.print(table_of(study, study.trials()))
    header, *rows = [line.split() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert header == ["trial", "state", "loss_energy", "revision.step_size", "energy.use"]
    assert rows == [
        ["0", "finished", "2", "0.001", "descriptor"],
        ["1", "finished", "-1", "0.123457", "descriptor"],
        ["2", "failed", "(4)", "-", "0.2", "descriptor"],
        ["3", "finished", "0.12346", "0.3", "descriptor"],
    ]


def test_there_is_no_page_before_a_trial_has_a_run(path: Path) -> None:
    study = tried(path)
    assert write_sweep_page(study, ranked(study)) is None
    assert not (study.folder / "report.html").exists()
