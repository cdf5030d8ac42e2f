"""Axes of curves: where a number stands, and which numbers are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import attrs

__all__ = ["Axis", "axis_of", "short"]

_DECADES = 1.5
"""Positive numbers that span more decades than this are drawn on a logarithmic axis."""

_FAR = 3.0
"""Numbers farther than so many times the middle 96 % from it are drawn at the edge, and counted."""

_EDGE = 0.02


@final
@attrs.frozen
class Axis:
    """A linear or logarithmic axis from ``low`` to ``high``.

    Examples:
        >>> Axis(1, 100, logarithmic=True).place(10), Axis(0, 4).place(1), Axis(0, 4).place(9)
        (0.5, 0.25, 1.0)
    """

    low: float
    high: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a number stands, from 0 at ``low`` to 1 at ``high``; beyond them at the edge."""
        low, high, at = (self._scaled(each) for each in (self.low, self.high, value))
        return min(1.0, max(0.0, (at - low) / (high - low)))

    def ticks(self, most: int = 4) -> Sequence[float]:
        """At most about so many round numbers inside."""
        return self._decades(most) if self.logarithmic else self._round_numbers(most)

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.logarithmic else value

    def _decades(self, most: int) -> Sequence[float]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        every = max(1, math.ceil((last - first + 1) / most))
        return [10.0**exponent for exponent in range(first, last + 1, every)] or [self.low, self.high]

    def _round_numbers(self, most: int) -> Sequence[float]:
        rough = (self.high - self.low) / most
        unit = 10.0 ** math.floor(math.log10(rough))
        step = unit * next(factor for factor in (1, 2, 5, 10) if factor * unit >= rough * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def axis_of(values: Sequence[float]) -> Axis:
    """An axis for these finite numbers: logarithmic where they are positive and span decades.

    A few numbers far beyond the others do not flatten them: the axis ends before those.
    """
    low, high = _range(sorted(values))
    if low > 0 and math.log10(high / low) > _DECADES:
        return Axis(low, high, logarithmic=True)
    if low == high:
        spread = abs(low) * 0.1 or 1.0
        return Axis(low - spread, high + spread)
    return Axis(low, high)


def _range(ordered: Sequence[float]) -> tuple[float, float]:
    count = len(ordered)
    inner_low, inner_high = ordered[int(_EDGE * count)], ordered[min(int((1 - _EDGE) * count), count - 1)]
    if inner_low > 0:  # on a logarithmic axis nothing is far
        return ordered[0], ordered[-1]
    span = inner_high - inner_low
    return max(ordered[0], inner_low - _FAR * span), min(ordered[-1], inner_high + _FAR * span)


def short(value: float) -> str:
    """A number in a few letters.

    Examples:
        >>> short(0.25), short(130000.0), short(1e-8), short(0.0), short(12.0)
        ('0.25', '130k', '1e-8', '0', '12')
    """
    if value and not 1e-3 <= abs(value) < 1e9:  # noqa: PLR2004
        return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{value:.4g}"
