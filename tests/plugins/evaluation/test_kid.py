from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.core import Material
from ebmkit_evaluation.kid import Kid, kernel_distance
from ebmkit_evaluation.pixels import Pixels
from tests.plugins.evaluation.samples import by_hand, drawn


def test_it_is_the_mean_over_all_pairs_of_different_examples() -> None:
    x, y = drawn(5, 1), drawn(4, 2, 1.5)
    assert kernel_distance(x, y).value == pytest.approx(by_hand(x.tolist(), y.tolist()), abs=1e-12)


def powers(x: Tensor, degree: int) -> tuple[float, float]:
    """Mean of x^k, and the mean of (x y)^k over all pairs of different examples, of numbers ``(n, 1)``."""
    raised = x[:, 0] ** degree
    pairs = len(x) * (len(x) - 1)
    return float(raised.mean()), float((raised.sum().square() - raised.square().sum()) / pairs)


def test_of_one_feature_it_compares_three_moments() -> None:
    """(x y + 1)³ = Σ (3 over k) x^k y^k, so each moment counts by itself."""
    x, y = drawn(40, 1, d=1), drawn(30, 2, 1.5, d=1) + 0.3
    expected = 0.0
    for degree in (1, 2, 3):
        (of_x, in_x), (of_y, in_y) = powers(x, degree), powers(y, degree)
        expected += math.comb(3, degree) * (in_x + in_y - 2 * of_x * of_y)
    assert kernel_distance(x, y).value == pytest.approx(expected, abs=1e-12)


def test_features_that_are_stated_twice_count_once() -> None:
    """The kernel divides by their number."""
    x, y = drawn(9, 1), drawn(7, 2) + 1
    doubled = kernel_distance(torch.cat([x, x], 1), torch.cat([y, y], 1))
    assert doubled == pytest.approx(kernel_distance(x, y), abs=1e-12)


def test_the_metric_tells_a_thousand_times_the_distance_of_the_features() -> None:
    sets = {"generated": drawn(9, 1), "real": drawn(7, 2) + 1}
    material = Material(**sets, features=Pixels())
    material.described = dict(sets)
    (figure,) = Kid().measure(material)
    value, error = kernel_distance(**dict(zip("xy", sets.values(), strict=True)))
    assert (figure.name, figure.value, figure.error) == ("kid", 1000 * value, 1000 * error)
    assert (figure.count, figure.features) == (9, "pixels")
