from __future__ import annotations

import pytest

from ebmkit.applications.sweep.ranges import Range
from ebmkit.errors import ConfigError
from tests.applications.sweep.conftest import Write


def test_choices_may_be_texts_and_lists(write: Write) -> None:
    file = write(
        '"schedule.start" = { choices = ["data", "noise"] }\n"energy.channels" = { choices = [[4, 8]] }'
    )
    file.check()
    plan = file.plan(file.point(1))
    assert plan.parts["schedule"].values["start"] == "noise"
    assert plan.parts["energy"].values["channels"] == (4, 8)


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        ('"revision.steps" = { choices = [] }', "must be a list that holds something"),
        ('"revision.steps" = { choices = [1], low = 1 }', "has choices and bounds"),
        ('"revision.steps" = { low = 1 }', "needs low and high, or choices"),
        ('"revision.steps" = { low = 3, high = 3 }', "is empty: low = 3 is not below high = 3"),
        ('"revision.step_size" = { low = 0.0, high = 1.0, log = true }', "low must be above 0"),
        ('"revision.step_size" = { low = 0.1, high = 1.0, log = true, step = 0.1 }', "it has no step"),
        ('"revision.step_size" = { low = 0.1, high = 1.0, step = -0.1 }', "must be above 0"),
        ('"revision.steps" = { low = 1, high = 3, step = 0.5 }', "are whole, so must be its step"),
        ('"revision.step_size" = { low = 0.1, high = 1.0 }', "to have choices or a step"),
        ('"revision.step_size" = { low = 0.0, high = 1.0, step = 1e-300 }', "choices or a larger step"),
        ('"revision.steps" = { low = 1, high = 1000000000000 }', "choices or a larger step"),
        ('"steps" = { choices = [1] }', "'steps' names no key of a run file"),
        ('"revision.steps" = { lowest = 1, high = 3 }', "unknown key 'lowest'"),
        ('"revision.steps" = 3', "must be a range, got 3"),
        ("", "missing table [sweep.parameters]"),
    ],
)
def test_what_is_wrong_with_a_range_is_told_at_its_place(write: Write, ranges: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        write(ranges)
    assert said in str(refused.value)
    assert "search.toml" in str(refused.value)


def test_a_range_of_whole_numbers_has_every_one_and_a_step_goes_up_to_the_end() -> None:
    whole = Range("a.b", 2, 5, log=False, step=None, choices=())
    assert (whole.whole, whole.points(), whole.ends()) == (True, ["2", "3", "4", "5"], ["2", "5"])
    assert Range("a.b", 1, 8, log=False, step=3, choices=()).points() == ["1", "4", "7"]
    tenths = Range("a.b", 0.1, 0.7, log=False, step=0.1, choices=())
    assert tenths.points() == ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]


def test_a_range_without_an_end_of_values_has_no_points_but_ends() -> None:
    for endless in (
        Range("a.b", 0.5, 2.0, log=False, step=None, choices=()),
        Range("a.b", 1, 64, log=True, step=None, choices=()),
    ):
        assert endless.points() == ()
        assert len(endless.ends()) == 2
    chosen = Range("a.b", None, None, log=False, step=None, choices=('"x"', "true"))
    assert chosen.points() == chosen.ends() == ('"x"', "true")
