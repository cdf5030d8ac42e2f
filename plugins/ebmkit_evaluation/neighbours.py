"""Distances between rows, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

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
    for some in x.split(BLOCK):
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


def nearest(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The distance from each row of x to the nearest row of y, and which it is, ``(n,)`` each."""
    found = [block.min(1) for block in squared_distances(x, y)]
    return torch.cat([each.values for each in found]).sqrt(), torch.cat([each.indices for each in found])
