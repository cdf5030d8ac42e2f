"""The trials of a study, one after the other and shared by several processes."""

from __future__ import annotations

from pathlib import Path

from tests.applications.sweep.conftest import Search
from tests.applications.sweep.searches import DRAWN, study_of
from tests.conftest import Ebmkit


def drawn(path: Path, **keys: object) -> list[dict[str, str]]:
    """The values of all trials of a sweep with these keys, each of which is worth 1."""
    study = study_of(path, *(f"sweep.{key}={value}" for key, value in keys.items()))
    while True:
        with study.next() as trial:
            if trial is None:
                return [dict(each.values) for each in study.trials()]
            study.finish(trial, 1.0)


def test_random_values_are_a_function_of_the_seed_and_the_number(search: Search, ebmkit: Ebmkit) -> None:
    path = search('sampler = "random"', DRAWN)
    whole = drawn(path, name="one", trials=4)
    assert len({each["revision.step_size"] for each in whole}) == 4
    for trials in (1, 3, 4):
        assert drawn(path, name="two", trials=trials) == whole[:trials]
    assert drawn(path, name="three", trials=4, seed=6) != whole
    for each in whole:
        assert 0.001 <= float(each["revision.step_size"]) <= 0.1
        assert int(each["revision.steps"]) in range(1, 5)


def test_sqlite_holds_the_same_trials(search: Search, ebmkit: Ebmkit) -> None:
    path = search('sampler = "random"', DRAWN)
    for trials in (1, 2):
        assert drawn(path, trials=trials, storage="sqlite") == drawn(path, name="journal", trials=trials)
    assert Path("runs/search/study.sqlite").exists()


def test_processes_share_the_trials_and_none_is_trained_twice(search: Search, ebmkit: Ebmkit) -> None:
    path = search('sampler = "random"\ntrials = 3', DRAWN)
    one, other = study_of(path), study_of(path)
    with one.next() as first:
        assert first is not None
        assert [each.state for each in other.trials()] == ["running"]
        with other.next() as second, one.next() as third, other.next() as fourth:
            assert second is not None
            assert third is not None
            assert (first.number, second.number, third.number, fourth) == (0, 1, 2, None)
    assert [each.state for each in one.trials()] == ["resumable"] * 3
    with study_of(path).next() as again:
        assert again is not None
        assert (again.number, again.values) == (0, first.values)


def test_tpe_draws_near_good_trials(search: Search, ebmkit: Ebmkit) -> None:
    """Of a value that is its own distance from 0.9, 30 uniform draws have a median near 0.5."""
    ranges = '"energy.reference_std" = { low = 0.01, high = 1.0 }'
    study = study_of(search('sampler = "tpe"\ntrials = 40', ranges))
    drawn = []
    while True:
        with study.next() as trial:
            if trial is None:
                break
            drawn.append(float(trial.values["energy.reference_std"]))
            study.finish(trial, abs(drawn[-1] - 0.9))
    assert len(drawn) == 40
    late = sorted(drawn[10:])
    assert 0.75 < late[15] < 1
