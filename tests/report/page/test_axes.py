from __future__ import annotations

import math

import pytest

from ebmkit.report.page.axes import Axis, axis_of, short


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis(0, 1), [0, 0.5, 1]),
        (Axis(-3, 9), [0, 5]),
        (Axis(0, 2600), [0, 1000, 2000]),
        (Axis(1, 1e6, logarithmic=True), [1, 100, 1e4, 1e6]),
    ],
)
def test_ticks_are_round_numbers_inside(axis: Axis, ticks: list[float]) -> None:
    assert axis.ticks() == pytest.approx(ticks)
    assert all(0 <= axis.place(tick) <= 1 for tick in axis.ticks())


def test_a_logarithmic_axis_gives_every_decade_the_same_room() -> None:
    axis = axis_of([1e-3, 1.0, 1e3])
    assert axis.logarithmic
    assert [axis.place(10.0**exponent) for exponent in (-3, 0, 3)] == pytest.approx([0, 0.5, 1])


def test_numbers_of_both_signs_or_of_one_decade_stay_on_a_linear_axis() -> None:
    assert not axis_of([-1e5, 3.0, 1e5]).logarithmic
    assert not axis_of([1.0, 2.0, 9.0]).logarithmic


def test_one_spike_does_not_flatten_a_curve() -> None:
    values = [math.sin(step / 7) for step in range(200)] + [-1e6]
    axis = axis_of(values)
    assert axis.high - axis.low < 10
    assert axis.place(-1e6) == 0


def test_a_constant_stands_in_the_middle() -> None:
    for value in (0.0, 5.0, -2e9):
        axis = axis_of([value, value])
        assert axis.place(value) == pytest.approx(0.5)
        assert all(math.isfinite(tick) for tick in axis.ticks())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1234"),
        (-54321.0, "-54.3k"),
        (2.5e6, "2.5M"),
        (3e12, "3e12"),
        (-1.2e-5, "-1.2e-5"),
        (7.0, "7"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text
