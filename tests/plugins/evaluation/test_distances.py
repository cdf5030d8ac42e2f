from __future__ import annotations

import math

import pytest
import torch

from ebmkit.core import Material, Rng
from ebmkit_evaluation.distances import (
    EnergyDistance,
    Mmd,
    gaussian_kernel,
    median_distance,
    negative_distance,
)
from ebmkit_evaluation.two_samples import discrepancy
from tests.plugins.evaluation.samples import drawn

_DEVIATIONS = 5


def test_the_kernels_are_their_formulas() -> None:
    x, y = torch.zeros(1, 2).double(), torch.tensor([[3.0, 4.0], [0.0, 0.0]]).double()
    assert gaussian_kernel(2.5)(x, y).tolist() == [[pytest.approx(math.exp(-25 / 12.5)), 1]]
    assert negative_distance(x, y).tolist() == [[-5, 0]]


def test_mmd_of_two_gaussians_is_the_closed_form() -> None:
    r"""With kernel width b: E k = (b²/(b² + s² + t²))^{d/2} exp(-|Δ|²/2(b² + s² + t²)); within 5 errors."""
    b, s, t, d, shift = 1.5, 1.0, 0.7, 2, 0.8

    def expected(variance: float, apart: float) -> float:
        return (b**2 / (b**2 + variance)) ** (d / 2) * math.exp(-(apart**2) / (2 * (b**2 + variance)))

    exact = expected(2 * s**2, 0) + expected(2 * t**2, 0) - 2 * expected(s**2 + t**2, shift)
    y = drawn(600, 2, t, d)
    y[:, 0] += shift
    found = discrepancy(drawn(600, 1, s, d), y, gaussian_kernel(b))
    assert abs(found.value - exact) < _DEVIATIONS * found.error
    assert found.error < exact / 5


def test_energy_distance_of_two_normal_laws_is_the_closed_form() -> None:
    """E|N(μ, v)| is that of the folded normal law; within 5 errors."""

    def expected(mean: float, variance: float) -> float:
        deviation = math.sqrt(variance)
        folded = deviation * math.sqrt(2 / math.pi) * math.exp(-(mean**2) / (2 * variance))
        return folded + mean * math.erf(mean / math.sqrt(2 * variance))

    exact = 2 * expected(1, 1 + 4) - expected(0, 2) - expected(0, 8)
    material = Material(generated=drawn(600, 1, d=1)[:, 0], real=drawn(600, 2, 2, d=1)[:, 0] + 1)
    (figure,) = EnergyDistance().measure(material)
    assert abs(figure.value - exact) < _DEVIATIONS * (figure.error or 0)
    assert (figure.name, figure.count, figure.features) == ("energy_distance", 600, None)


def test_mmd_takes_the_median_distance_where_no_bandwidth_is_given() -> None:
    x, y = drawn(40, 1), drawn(50, 2, 2)
    material = Material(generated=x, real=y)
    width = median_distance(y, Rng(5))  # all of so few, whatever the stream
    assert width == pytest.approx(float(torch.nn.functional.pdist(y).median()))
    assert Mmd().measure(material)[0].value == discrepancy(x, y, gaussian_kernel(width)).value
    assert Mmd(bandwidth=3.0).measure(material)[0].value == discrepancy(x, y, gaussian_kernel(3)).value
