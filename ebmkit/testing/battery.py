r"""Is this a sample of independent standard normal numbers?

Every law the kit tests is brought to this one question: exact draws and closed forms map a right
sampler's chains to independent N(0, 1) numbers, ``(n, d)``. Chains are independent of each other,
so at a fixed step the n rows are too: no effective sample size has to be estimated.

Each statistic has a p-value that holds at this n, and each is given an equal share of one
false-alarm rate (Bonferroni), so that a right sampler fails with at most that probability.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["FALSE_ALARM", "Statistic", "chi_squared", "standard_normal", "verdict", "zero_mean"]

FALSE_ALARM = 1e-5
"""Probability that a right sampler fails in one run of the kit, over its seeds, at most."""


class Statistic(NamedTuple):
    """One comparison.

    Attributes:
        what: ``variance of coordinate 0``.
        observed: its value.
        expected: what a right sampler has on average.
        p: probability of a value at least as far away.
    """

    what: str
    observed: float
    expected: float
    p: float

    def __str__(self) -> str:
        return f"{self.what} is {self.observed:.4g} instead of {self.expected:.4g} (p = {self.p:.1g})"


def _two_sided(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2)) if math.isfinite(z) else 0.0


def zero_mean(values: Tensor, what: str) -> Statistic:
    """The mean of numbers of mean 0 and variance 1."""
    mean = float(values.mean())
    return Statistic(what, mean, 0.0, _two_sided(mean * math.sqrt(len(values))))


def chi_squared(total: float, degrees: int, what: str) -> Statistic:
    """A chi-squared number over its degrees of freedom; its cube root is normal (Wilson, Hilferty, 1931)."""
    spread, ratio = 2 / (9 * degrees), total / degrees
    return Statistic(what, ratio, 1.0, _two_sided((ratio ** (1 / 3) - 1 + spread) / math.sqrt(spread)))


def _distance(values: Tensor, what: str) -> Statistic:
    """Kolmogorov's distance; the bound on its tail holds for every n (Massart, 1990)."""
    n = len(values)
    below = torch.special.ndtr(values.sort().values)
    ranks = torch.arange(n + 1, dtype=below.dtype) / n
    distance = float(torch.maximum(ranks[1:] - below, below - ranks[:-1]).max())
    return Statistic(what, distance, 0.0, min(1.0, 2 * math.exp(-2 * n * distance**2)))


def standard_normal(numbers: Tensor) -> Iterator[Statistic]:
    """Compare ``(n, d)`` float64 numbers with independent N(0, 1) ones.

    Means, variances, products of coordinates, products of neighbouring rows, third moments and
    Kolmogorov distances. Products and moments use the normal limit, close at n = 4,000 and more.
    """
    if not torch.isfinite(numbers).all():
        yield Statistic(
            "share of non-finite positions", float((~torch.isfinite(numbers)).double().mean()), 0, 0
        )
        return
    pairs = len(numbers) // 2 * 2
    for j in range(numbers.shape[1]):
        column = numbers[:, j]
        yield zero_mean(column, f"mean of coordinate {j}")
        yield chi_squared(float(column.square().sum()), len(column), f"variance of coordinate {j}")
        yield zero_mean((column**3 - 3 * column) / math.sqrt(6), f"asymmetry of coordinate {j}")
        yield _distance(column, f"Kolmogorov distance of coordinate {j}")
        yield zero_mean(column[0:pairs:2] * column[1:pairs:2], f"correlation of neighbouring chains in {j}")
        for i in range(j):
            yield zero_mean(numbers[:, i] * column, f"correlation of coordinates {i} and {j}")


def verdict(statistics: list[Statistic], alpha: float) -> tuple[bool, Statistic]:
    """Whether all hold at false-alarm rate ``alpha`` together, and the worst one."""
    worst = min(statistics, key=lambda each: each.p)
    return worst.p * len(statistics) >= alpha, worst
