"""The rule by which the time to a quality is read off a curve."""

from __future__ import annotations

import pytest

from tests.benchmarks.time_to_quality import time_to


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
