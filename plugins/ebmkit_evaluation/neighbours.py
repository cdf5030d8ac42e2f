"""Distances between rows, a block at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ebmkit.core import ExampleSet, as_rows

__all__ = ["BLOCK", "nearest", "squared_distances", "squared_radii"]

BLOCK = 500
"""Rows and columns of a block of distances: 2 MB."""

_SLACK = 1e-10
"""What rounding may add to a squared distance, in parts of the squared norms."""


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    r"""$\|x_i - y_j\|^2$ of two blocks of rows, ``(b, d), (m, d) -> (b, m)`` float64."""
    x, y = x.double(), y.double()
    products = torch.addmm(y.square().sum(1), x, y.T, alpha=-2)
    return products.add_(x.square().sum(1, keepdim=True)).clamp_min_(0)


def squared_radii(x: Tensor, k: int) -> Tensor:
    """The squared distance from each row to its k-th nearest other row, ``(n, d) -> (n,)``; k < n.

    Rounded up by far more than products of float64 are off, so that ties count as inside: a copy of a
    neighbour lies in the ball that the neighbour bounds, and equal rows in balls of radius 0.
    """
    radii = []
    for some in torch.split(x, BLOCK):
        # The nearest row to each is itself, or one that equals it.
        kth = _least(some, x, k + 1)
        radii.append(kth + _SLACK * (kth + some.double().square().sum(1)))
    return torch.cat(radii)


def _least(x: Tensor, among: Tensor, k: int) -> Tensor:
    """The k-th smallest squared distance of each row from those of a set, ``(b,)``."""
    least = torch.empty(len(x), 0, dtype=torch.float64)
    for some in torch.split(among, BLOCK):
        seen = torch.cat([least, squared_distances(x, some)], 1)
        least = seen.topk(min(k, seen.shape[1]), largest=False).values
    return least[:, -1]


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
            found = squared_distances(rows(queries[these]), candidates).min(1)
            nearer = found.values < best[these]
            best[these] = found.values.where(nearer, best[these])
            which[these] = those[found.indices].where(nearer, which[these])
    return best.sqrt(), which
