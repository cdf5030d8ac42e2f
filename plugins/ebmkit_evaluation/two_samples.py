r"""Squared maximum mean discrepancies of any kernel, unbiased, in blocks, with the jackknife's error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ebmkit.core import ExampleSet, as_rows
from ebmkit.errors import DataError

__all__ = ["Estimate", "Kernel", "discrepancy"]

Kernel: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""``(n, d), (m, d) -> (n, m)``, symmetric: k(x, y)."""

_BLOCK = 1000
"""Rows at a time: a block of the kernel's matrix takes 8 MB."""

_LEAST = 3
"""Examples of each set that the jackknife needs: one is left out, and pairs must remain."""


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float


def discrepancy(x: ExampleSet, y: ExampleSet, kernel: Kernel) -> Estimate:
    r"""The unbiased estimate of $MMD^2$ between the laws of two sets, and its jackknife error.

    $$\frac{\sum_{i \ne j} k(x_i, x_j)}{n(n-1)} + \frac{\sum_{i \ne j} k(y_i, y_j)}{m(m-1)}
    - \frac{2}{nm} \sum_{ij} k(x_i, y_j)$$

    It is below 0 half of the time when the laws are equal. The jackknife leaves out one example of either
    set in turn, which the sums of rows give in closed form; where the laws are equal it states up to
    $\sqrt 2$ times the true error (the estimate is degenerate there), never systematically less.

    Args:
        x: one set, ``(n, *S)``, n >= 3; it is read a block at a time.
        y: the other, ``(m, *S)``, m >= 3.
        kernel: evaluated on blocks of rows in float64.

    Raises:
        DataError: fewer than three examples, or different numbers of features.

    Source: Gretton, Borgwardt, Rasch, Schölkopf, Smola, "A kernel two-sample test", 2012, JMLR 13,
    equation 3; Efron, Stein, "The jackknife estimate of variance", 1981.
    """
    shapes = [(len(each), *each[torch.arange(min(len(each), 1))].shape[1:]) for each in (x, y)]
    if min(len(x), len(y)) < _LEAST or shapes[0][1:] != shapes[1][1:]:
        raise DataError(
            f"two sets of at least {_LEAST} examples each with the same number of features are compared, "
            f"not {shapes[0]} and {shapes[1]}"
        )
    within_x, within_y = _within(x, kernel), _within(y, kernel)
    across_x, across_y = _across(x, y, kernel)
    means = _Means(within_x.sum(), within_y.sum(), across_x.sum(), len(x), len(y))
    left_out_x = means.without(within_x, across_x)
    left_out_y = means.turned().without(within_y, across_y)
    variance = sum(_jackknife_variance(each) for each in (left_out_x, left_out_y))
    return Estimate(float(means.value()), math.sqrt(variance))


class _Means(NamedTuple):
    """The sums that the estimate is made of: over pairs within x, within y, and across."""

    x: Tensor
    y: Tensor
    across: Tensor
    n: int
    m: int

    def value(self) -> Tensor:
        """The estimate."""
        within = self.x / (self.n * (self.n - 1)) + self.y / (self.m * (self.m - 1))
        return within - 2 * self.across / (self.n * self.m)

    def without(self, within: Tensor, across: Tensor) -> Tensor:
        """The estimates that leave out each x, ``(n,)``, from the sums of its row."""
        return _Means(self.x - 2 * within, self.y, self.across - across, self.n - 1, self.m).value()

    def turned(self) -> _Means:
        """The same with x and y exchanged."""
        return _Means(self.y, self.x, self.across, self.m, self.n)


def _jackknife_variance(values: Tensor) -> float:
    """From the estimates that leave out one example each, ``(n,)``."""
    return (len(values) - 1) * float(values.var(correction=0))


def _within(x: ExampleSet, kernel: Kernel) -> Tensor:
    """For each example the sum over all others, ``(n,)``."""
    sums = torch.zeros(len(x), dtype=torch.float64)
    for these, some in _blocks(x):
        for those, others in _blocks(x):
            values = kernel(some, others)
            if these[0] == those[0]:
                values = values.fill_diagonal_(0)
            sums[these] += values.sum(1)
    return sums


def _across(x: ExampleSet, y: ExampleSet, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """The sums of the rows and of the columns, ``(n,)`` and ``(m,)``."""
    rows, columns = (torch.zeros(len(each), dtype=torch.float64) for each in (x, y))
    for these, some in _blocks(x):
        for those, others in _blocks(y):
            values = kernel(some, others)
            rows[these] += values.sum(1)
            columns[those] += values.sum(0)
    return rows, columns


def _blocks(x: ExampleSet) -> Iterator[tuple[Tensor, Tensor]]:
    """Positions, and the examples at these as rows of float64."""
    for index in torch.split(torch.arange(len(x)), _BLOCK):
        yield index, as_rows(x[index]).double()
