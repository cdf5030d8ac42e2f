"""The rules by which the time to a quality is read off a curve, and by which the contestants take turns."""

from __future__ import annotations

import pytest

from tests.benchmarks.time_to_quality import LOOP, Contestant, on, time_to


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ([90.0, 60.0, 50.0, 40.0], 30.0),
        ([90.0, 60.0, 61.0, 60.0, 60.0], 50.0),  # one lucky value is not enough
        ([60.0, 60.0], 20.0),  # the threshold itself is reached
        ([90.0, 61.0, 60.0], None),
        ([50.0], None),
        ([], None),
    ],
)
def test_two_neighbours_have_to_reach_the_threshold(values: list[float], seconds: float | None) -> None:
    curve = [(10.0 * (turn + 1), value) for turn, value in enumerate(values)]
    assert time_to(60.0, curve) == seconds


def contestant(*values: float, lost: bool = False) -> Contestant:
    curve = [(10.0 * (turn + 1), value) for turn, value in enumerate(values)]
    return Contestant(iter(()), lambda: None, seconds=10.0 * len(values), curve=curve, lost=lost)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("loop", "other", "turns"),
    [
        (contestant(), contestant(), [LOOP, "other"]),
        (contestant(90.0), contestant(80.0), [LOOP]),  # it has had as much time
        (contestant(90.0, 70.0, 60.0), contestant(70.0, 70.0), [LOOP]),  # the level is 70: it waits
        (contestant(90.0, 60.0, 50.0), contestant(70.0, 60.0), [LOOP, "other"]),
        (contestant(90.0, 60.0, 50.0), contestant(70.0, 60.0, lost=True), [LOOP]),
        (contestant(90.0, 60.0, 50.0, 40.0), contestant(70.0, 60.0), ["other"]),  # the loop has had its time
        (contestant(90.0, 60.0, 50.0, 40.0), contestant(60.0, 50.0, 40.0), []),
        (contestant(90.0, lost=True), contestant(80.0), []),
    ],
)
def test_who_is_ahead_of_the_loop_waits(loop: Contestant, other: Contestant, turns: list[str]) -> None:
    assert list(on({LOOP: loop, "other": other}, 40.0)) == turns
