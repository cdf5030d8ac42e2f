"""A curve in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["scaled", "sparkline"]

_WIDE = 100.0
"""From this ratio of the largest to the smallest on, a linear curve shows its largest values alone."""

_BLOCKS = "▁▂▃▄▅▆▇█"


def scaled(values: Sequence[float]) -> tuple[list[float], str]:
    """Values as a curve shows them best, and what to say of the scale: logarithms where they span decades.

    Examples:
        >>> scaled([1.0, 1000.0])
        ([0.0, 3.0], ' (log)')
        >>> scaled([-1.0, 1000.0])
        ([-1.0, 1000.0], '')
    """
    if values and min(values) > 0 and max(values) > _WIDE * min(values):
        return [math.log10(value) for value in values], " (log)"
    return list(values), ""


def sparkline(values: Sequence[float], *, width: int) -> str:
    """At most ``width`` blocks, each as high as the mean of its share of the values.

    Examples:
        >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7], width=8)
        '▁▂▃▄▅▆▇█'
        >>> sparkline([5.0, 5.0], width=8)
        '▁▁'
    """
    count = min(width, len(values))
    edges = [len(values) * place // count for place in range(count + 1)] if count else [0]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means, default=0.0), max(means, default=0.0)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)
