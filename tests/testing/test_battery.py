"""The statistics: exact on right draws, sharp on wrong ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng
from ebmkit.testing.battery import chi_squared, standard_normal, verdict, zero_mean


def normal(*shape: int, key: int = 0) -> Tensor:
    return Rng(key).normal(torch.empty(*shape, dtype=torch.float64))


WRONG = {
    "mean": lambda z: z + 0.03,
    "variance": lambda z: 1.03 * z,
    "asymmetry": lambda z: (z + 0.05 * (z**2 - 1)) / (1 + 2 * 0.05**2) ** 0.5,
    "Kolmogorov": lambda z: z.sign() * (z.abs() ** 1.05) * 0.97,
    "correlation of coordinates": lambda z: torch.stack([z[:, 0], 0.999**0.5 * z[:, 1] + 0.04 * z[:, 0]], 1),
    "neighbouring": lambda z: (
        z.view(-1, 2, 2).mul(torch.tensor([1.0, 1.0]).double()).flatten(0, 1)
        + 0.05 * z.view(-1, 2, 2).flip(1).flatten(0, 1)
    ),
    "non-finite": lambda z: torch.where(torch.arange(len(z))[:, None] == 7, torch.nan, z),
}


@pytest.mark.parametrize("name", WRONG)
def test_numbers_that_are_not_standard_normal_are_seen(name: str) -> None:
    z = normal(40_000, 2)
    assert verdict(list(standard_normal(z)), 1e-5)[0]
    holds, worst = verdict(list(standard_normal(WRONG[name](z))), 1e-5)
    assert not holds
    assert worst.p < 1e-6


def test_p_values_are_uniform_on_right_numbers() -> None:
    """3,000 p-values: the share below 0.05 is 0.05 within 5 standard errors (0.02)."""
    z = normal(3000, 500, key=3)
    means = torch.tensor([zero_mean(row, "").p for row in z])
    squares = torch.tensor([chi_squared(float(row.square().sum()), len(row), "").p for row in z])
    for p in (means, squares):
        assert abs(float((p < 0.05).double().mean()) - 0.05) < 0.02
        assert abs(float((p < 0.5).double().mean()) - 0.5) < 0.05


def test_bonferroni_divides_the_rate() -> None:
    statistics = [zero_mean(torch.full((100,), 0.3), "mean")] * 10
    (p,) = {each.p for each in statistics}
    assert not verdict(statistics, 11 * p)[0]
    assert verdict(statistics, 9 * p)[0]
