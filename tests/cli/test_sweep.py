from __future__ import annotations

from pathlib import Path

from tests.applications.sweep.conftest import Search, search  # noqa: F401 - a fixture
from tests.applications.sweep.searches import STEPS, study_of
from tests.conftest import Ebmkit


def test_trials_that_another_process_has_are_left_and_counted(
    search: Search,  # noqa: F811
    ebmkit: Ebmkit,
) -> None:
    path = search('sampler = "grid"', STEPS, iterations=1)
    with study_of(path).next() as elsewhere:
        assert elsewhere is not None
        outcome = ebmkit("sweep", path)
    assert outcome.code == 0
    assert "side by side: runs/search/report.html" in outcome.out
    assert "1 of 2 trials are not done; the same command goes on with them" in outcome.out
    rows = [line.split()[:2] for line in outcome.out.splitlines()]
    assert ["0", "running"] in rows
    assert ["1", "finished"] in rows
    whole = ebmkit("sweep", path)
    assert whole.code == 0
    assert "not done" not in whole.out


def test_a_sweep_of_failures_alone_ends_with_the_exit_code_of_the_last_one(
    search: Search,  # noqa: F811
    ebmkit: Ebmkit,
) -> None:
    path = search('sampler = "grid"', '"schedule.chains" = { choices = [4] }', iterations=1)
    outcome = ebmkit("sweep", path, "--set", "sweep.metric=acceptance")
    assert outcome.code == 3
    assert "trial 0: it logged no acceptance" in outcome.out
    Path("runs/search/report.html").unlink()
    Path("runs/search/report.html").mkdir()
    again = ebmkit("sweep", path, "--set", "sweep.metric=acceptance")
    assert again.code == 3
    assert "warning: the page cannot be written: " in again.out
