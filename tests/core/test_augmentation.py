"""Augmentation against its law, on images whose pixels all differ."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.core import LossAugmentation, Rng, augmented
from ebmkit.errors import ConfigError

COUNT = 5000


def images(count: int = COUNT, height: int = 6, width: int = 8) -> Tensor:
    return (torch.arange(1.0, 1 + 2 * height * width) / 100).view(1, 2, height, width).repeat(count, 1, 1, 1)


def shifts(x: Tensor, height: int = 6, width: int = 8) -> Tensor:
    """By which each image was shifted, found by the place of a pixel that stays inside, ``(B, 2)``."""
    value = images(1)[0, 0, 3, 4]
    at = (x[:, 0] == value).flatten(1).int().argmax(1)
    return torch.stack([at // width - 3, at % width - 4], 1)


def test_nothing_asked_for_is_the_same_tensor() -> None:
    x = images(2)
    assert augmented(x, LossAugmentation(), rng=Rng(0)) is x


def test_every_shift_is_equally_likely_and_what_comes_in_is_zero() -> None:
    x = images()
    moved = augmented(x, LossAugmentation(translation=2), rng=Rng(1))
    found = shifts(moved)
    counts = torch.stack([((found + 2) == value).sum(0) for value in range(5)])
    # 10 counts of a binomial law, each within 4.5 standard deviations: a false alarm of 7e-5.
    assert int((counts - COUNT / 5).abs().max()) < 4.5 * (COUNT * 0.2 * 0.8) ** 0.5
    assert abs(float(torch.corrcoef(found.T.double())[0, 1])) < 4.5 / COUNT**0.5
    for number in range(20):
        down, right = found[number].tolist()
        expected = torch.zeros(2, 6, 8)
        source = x[0, :, max(-down, 0) : 6 - max(down, 0), max(-right, 0) : 8 - max(right, 0)]
        expected[:, max(down, 0) : 6 + min(down, 0), max(right, 0) : 8 + min(right, 0)] = source
        assert torch.equal(moved[number], expected)


def test_brightness_is_uniform_and_one_number_an_image() -> None:
    added = augmented(images(), LossAugmentation(brightness=0.4), rng=Rng(2)) - images()
    amounts = added[:, 0, 0, 0].double()
    assert torch.allclose(added, added[:, :1, :1, :1].expand_as(added), atol=1e-6)
    assert float(amounts.abs().max()) <= 0.4 + 1e-6
    assert abs(float(amounts.mean())) < 4.5 * 0.4 / (3 * COUNT) ** 0.5
    # The distance of Kolmogorov and Smirnov to the uniform law; 2.2 has a false alarm of 1.3e-4.
    steps = torch.arange(1, COUNT + 1) / COUNT
    assert float((amounts.sort().values / 0.8 + 0.5 - steps).abs().max()) < 2.2 / COUNT**0.5


def test_the_square_covers_its_share_around_every_pixel() -> None:
    cut = augmented(images(), LossAugmentation(cutout=0.5), rng=Rng(3)) == 0
    assert torch.equal(cut[:, 0], cut[:, 1])
    rows, columns = cut[:, 0].any(2), cut[:, 0].any(1)
    assert torch.equal(cut[:, 0], rows[:, :, None] & columns[:, None, :])
    # Sides of 3 and 4, centred anywhere: of the 6 places of a side of 3 all cover 3 but the outermost two.
    heights = rows.sum(1)
    assert [int((heights == size).sum()) for size in (0, 1)] == [0, 0]
    outermost = int((heights == 2).sum())
    assert abs(outermost - COUNT / 3) < 4.5 * (COUNT * 2 / 9) ** 0.5
    assert int(columns.sum(1).max()) == 4


def test_a_row_draws_for_its_own_chain() -> None:
    law = LossAugmentation(translation=2, brightness=0.3, cutout=0.4)
    whole = augmented(images(8), law, rng=Rng(4))
    assert torch.equal(whole[5:], augmented(images(3), law, rng=Rng(4, first_chain=5)))
    assert not torch.equal(whole, augmented(images(8), law, rng=Rng(5)))


def test_other_examples_than_images_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"are for images \(C, H, W\), not for examples of shape \(2,\)"):
        augmented(torch.zeros(3, 2), LossAugmentation(brightness=0.1), rng=Rng(0))
