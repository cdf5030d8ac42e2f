from __future__ import annotations

import pytest
import torch

from ebmkit.core import Rng
from ebmkit.errors import DataError
from ebmkit.evaluation.crops import crops, tiles


def images(count: int = 3, height: int = 10, width: int = 12) -> torch.Tensor:
    """Every pixel says where it stands: image, row and column as digits of one number."""
    image, row, column = torch.meshgrid(
        torch.arange(count), torch.arange(height), torch.arange(width), indexing="ij"
    )
    return (image * 10_000 + row * 100 + column).float()[:, None]


def test_a_crop_is_the_square_at_its_place() -> None:
    cut = crops(images(), 4, 20, rng=Rng(0))
    square = torch.arange(4)[:, None] * 100 + torch.arange(4)
    for index in (torch.arange(20), torch.tensor([7, 2, 7])):
        image, row, column = cut.places[index].unbind(1)
        expected = (image * 10_000 + row * 100 + column)[:, None, None] + square
        assert torch.equal(cut[index], expected.float()[:, None])


def test_places_are_uniform_and_reach_every_edge_and_images_come_in_turn() -> None:
    places = crops(images(), 4, 6300, rng=Rng(1)).places
    assert places[:, 0].view(-1, 3).sort(1).values.unique(dim=0).tolist() == [[0, 1, 2]]
    # 7 x 9 places, 100 expected at each; chi-squared (62 degrees) is above 125 once in 260,000 seeds.
    counts = torch.bincount(places[:, 1] * 9 + places[:, 2], minlength=63).double()
    assert len(counts) == 63
    assert float(((counts - 100) ** 2 / 100).sum()) < 125


def test_crops_of_the_two_halves_share_no_pixel() -> None:
    left, right = (
        crops(images(1), 4, 50, rng=Rng(0), columns=columns)[torch.arange(50)]
        for columns in ((0.0, 0.5), (0.5, 1.0))
    )
    assert set(left.flatten().tolist()).isdisjoint(right.flatten().tolist())
    assert {pixel % 100 for pixel in left.flatten().tolist()} == set(range(6))


def test_so_many_lie_beside_each_other() -> None:
    assert tiles(images(), 4) == 2 * 3
    assert tiles(images(), 6) == 2
    assert tiles(images(), 11) == 1


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="crops of 11 pixels do not fit into 10x12 pixels"):
        crops(images(), 11, 5, rng=Rng(0))
    with pytest.raises(DataError, match=r"not out of examples of shape \(3,\)"):
        crops(torch.zeros(4, 3), 1, 5, rng=Rng(0))
