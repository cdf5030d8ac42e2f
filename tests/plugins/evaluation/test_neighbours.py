from __future__ import annotations

import pytest
import torch

from ebmkit_evaluation import neighbours
from tests.plugins.evaluation.samples import drawn


def test_the_nearest_example_is_found_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = drawn(23, 1), drawn(31, 2)
    monkeypatch.setattr(neighbours, "BLOCK", 4)
    distance, which = neighbours.nearest(x, y)
    every = (x[:, None] - y).norm(dim=2)
    assert torch.equal(which, every.argmin(1))
    assert torch.allclose(distance, every.amin(1))


def test_distances_are_those_of_every_pair() -> None:
    x, y = drawn(13, 3), drawn(9, 4)
    expected = (x[:, None].double() - y.double()).square().sum(2)
    assert torch.allclose(neighbours.squared_distances(x, y), expected)


def test_no_distance_is_below_0_though_products_of_equal_rows_round() -> None:
    x = drawn(40, 5) + 1e6
    assert neighbours.squared_distances(x, x).min() >= 0


def test_radii_are_the_same_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    x = drawn(23, 6)
    whole = neighbours.squared_radii(x, 3)
    monkeypatch.setattr(neighbours, "BLOCK", 4)
    assert torch.allclose(neighbours.squared_radii(x, 3), whole, rtol=1e-12)


def test_a_radius_reaches_the_kth_other_row_and_counts_ties_as_inside() -> None:
    x = torch.tensor([[0.0], [1.0], [1.0], [3.0], [7.0]])
    squared = (x - x.T).square().double()
    for k, expected in ((1, [1.0, 0.0, 0.0, 4.0, 16.0]), (2, [1.0, 1.0, 1.0, 4.0, 36.0])):
        radii = neighbours.squared_radii(x, k)
        assert torch.allclose(radii, torch.tensor(expected, dtype=torch.float64), atol=1e-8)
        assert torch.all((squared <= radii[:, None]).sum(1) >= k + 1)  # itself among them
