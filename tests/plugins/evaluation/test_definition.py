from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.errors import DataError
from ebmkit_evaluation.definition import eight_bits, in_colour, resized
from tests.plugins.evaluation.images import smooth


def test_every_level_of_a_file_is_kept_and_the_rest_is_rounded_to_the_nearest() -> None:
    levels = torch.arange(256.0).view(1, 1, 16, 16) / 127.5 - 1
    assert torch.equal(eight_bits(levels), levels)
    assert torch.equal(eight_bits(levels + 0.49 / 127.5), levels)
    assert torch.equal(
        eight_bits(levels * 9), (levels * 9).clamp(-1, 1).mul(127.5).add(127.5).round() / 127.5 - 1
    )


def test_resizing_is_that_of_pillow() -> None:
    for side, from_side in ((112, 32), (20, 32), (17, 31)):
        image = smooth(1, 3)[..., :from_side, :from_side] * 1.5
        image = eight_bits(image)
        plane = Image.fromarray(image[0, 0].numpy(), mode=None)
        expected = np.asarray(plane.resize((side, side), Image.Resampling.BICUBIC)).clip(-1, 1)
        assert np.abs(resized(image, side)[0, 0].numpy() - expected).max() < 2e-6


def test_an_image_of_the_right_size_is_left_alone() -> None:
    image = smooth(1, 3)
    assert resized(image, 32) is image


def test_grey_is_replicated_and_other_numbers_of_channels_are_refused() -> None:
    grey = smooth(2, 1)
    assert torch.equal(in_colour(grey), torch.cat([grey] * 3, 1))
    assert in_colour(torch.zeros(1, 3, 4, 4)).shape == (1, 3, 4, 4)
    with pytest.raises(DataError, match="images of 1 or 3 channels, and these have 2"):
        in_colour(torch.zeros(1, 2, 4, 4))


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(DataError, match=r"images are \(B, C, H, W\), and these have the shape \(5, 2\)"):
        eight_bits(torch.zeros(5, 2))
