"""Paired times: contestants take turns in one process, and are compared round by round."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple


class Ratio(NamedTuple):
    """How many times longer a rival takes: the median over rounds, the least and the most."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} [{self.least:.2f}..{self.most:.2f}]"


Times = Mapping[str, list[float]]


def take_turns(
    contestants: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    between: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> Times:
    """Seconds of each contestant in each round; the order rotates, and nobody is timed at its first call."""
    names = list(contestants)
    times: dict[str, list[float]] = {name: [] for name in names}
    for call in contestants.values():
        call()
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            between()
            begin = clock()
            contestants[name]()
            times[name].append(clock() - begin)
    return times


def ratio(times: Times, name: str, rival: str) -> Ratio:
    """The rival's time over this one's, round by round."""
    ratios = [theirs / ours for ours, theirs in zip(times[name], times[rival], strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))
