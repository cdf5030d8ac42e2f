from __future__ import annotations

import math
import random

import pytest

from ebmkit.report.sparkline import scaled, sparkline

BLOCKS = "▁▂▃▄▅▆▇█"


@pytest.mark.parametrize("count", [0, 1, 7, 40, 41, 1000])
def test_it_is_as_wide_as_its_values_and_never_wider_than_asked(count: int) -> None:
    assert len(sparkline([float(k) for k in range(count)], width=40)) == min(count, 40)


def test_it_goes_from_the_lowest_to_the_highest_block() -> None:
    draw = random.Random(0)
    line = sparkline([draw.random() for _ in range(30)], width=30)
    assert {BLOCKS[0], BLOCKS[-1]} <= set(line) <= set(BLOCKS)


def test_it_rises_with_its_values_and_does_not_change_with_their_unit() -> None:
    values = [math.exp(k / 10) for k in range(50)]
    line = sparkline(values, width=20)
    assert [BLOCKS.index(each) for each in line] == sorted(BLOCKS.index(each) for each in line)
    assert sparkline([3 * each - 7 for each in values], width=20) == line
    assert sparkline(values[::-1], width=20) == line[::-1]


def test_every_value_counts_once() -> None:
    """One value apart from all others is seen wherever it is."""
    for place in range(97):
        values = [0.0] * 97
        values[place] = 1.0
        line = sparkline(values, width=10)
        assert line.count(BLOCKS[-1]) == 1
        assert line.index(BLOCKS[-1]) == max(k for k in range(10) if 97 * k // 10 <= place)


def test_logarithms_are_taken_of_positive_values_over_two_decades_alone() -> None:
    assert scaled([1.0, 100.0]) == ([1.0, 100.0], "")
    assert scaled([1.0, 101.0])[1] == " (log)"
    assert scaled([0.0, 1e9]) == ([0.0, 1e9], "")
    assert scaled([]) == ([], "")
