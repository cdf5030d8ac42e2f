"""Distances between rows, a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ebmkit.core import ExampleSet, as_rows

__all__ = ["BLOCK", "nearest", "squared_distances", "squared_radii"]

BLOCK = 500
"""Rows of a block of distances."""

_SLACK = 1e-10
"""What rounding may add to a squared distance, in parts of the squared norms."""


def squared_distances(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    r"""$\|x_i - y_j\|^2$ of a block of rows of x after the other and all of y: ``(b, m)`` each, float64.

    Args:
        x: ``(n, d)``.
        y: ``(m, d)``.
    """
    y = y.double()
    norms = y.square().sum(1)
    for some in torch.split(x, BLOCK):
        rows = some.double()
        products = torch.addmm(norms, rows, y.T, alpha=-2)
        yield products.add_(rows.square().sum(1, keepdim=True)).clamp_min_(0)


def squared_radii(x: Tensor, k: int) -> Tensor:
    """The squared distance from each row to its k-th nearest other row, ``(n, d) -> (n,)``; k < n.

    Rounded up by far more than products of float64 are off, so that ties count as inside: a copy of a
    neighbour lies in the ball that the neighbour bounds, and equal rows in balls of radius 0.
    """
    # The nearest row to each is itself, or one that equals it.
    kth = torch.cat([block.kthvalue(k + 1, 1).values for block in squared_distances(x, x)])
    return kth + _SLACK * (kth + x.double().square().sum(1))


def nearest(
    queries: ExampleSet, among: ExampleSet, rows: Callable[[Tensor], Tensor] = as_rows
) -> tuple[Tensor, Tensor]:
    """How far the nearest example of a set is from each of another, and which it is: ``(n,)`` twice.

    Args:
        queries: n examples.
        among: m examples, read once, a block at a time.
        rows: from examples to the numbers that are compared, ``(B, *S) -> (B, d)``.
    """
    best = torch.full((len(queries),), torch.inf, dtype=torch.float64)
    which = torch.zeros(len(queries), dtype=torch.int64)
    for those in torch.split(torch.arange(len(among)), BLOCK):
        candidates = rows(among[those])
        for these in torch.split(torch.arange(len(queries)), BLOCK):
            found = next(squared_distances(rows(queries[these]), candidates)).min(1)
            nearer = found.values < best[these]
            best[these] = found.values.where(nearer, best[these])
            which[these] = those[found.indices].where(nearer, which[these])
    return best.sqrt(), which
