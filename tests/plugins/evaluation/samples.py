"""Sets of features to measure, and what a measure of them comes to by hand."""

from __future__ import annotations

import itertools
import statistics

import torch
from torch import Tensor

from ebmkit.core import Rng


def drawn(count: int, seed: int, scale: float = 1.0, d: int = 3) -> Tensor:
    return scale * Rng(seed).fold_in("drawn").normal(torch.empty(count, d, dtype=torch.float64))


def by_hand(x: list[list[float]], y: list[list[float]]) -> float:
    """KID of a few points, pair by pair in plain Python."""

    def kernel(a: list[float], b: list[float]) -> float:
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    pairs = [itertools.permutations(each, 2) for each in (x, y)]
    within = sum(statistics.fmean(kernel(*pair) for pair in each) for each in pairs)
    return within - 2 * statistics.fmean(kernel(*pair) for pair in itertools.product(x, y))
