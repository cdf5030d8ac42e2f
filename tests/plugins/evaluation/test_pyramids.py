from __future__ import annotations

import pytest
import torch

from ebmkit.core import Rng
from ebmkit.errors import DataError
from ebmkit_evaluation.definition import eight_bits
from ebmkit_evaluation.pyramids import _enlarged, laplacian_pyramid


def test_the_levels_of_a_pyramid_add_up_to_the_image() -> None:
    for shape in ((2, 3, 64, 64), (1, 1, 45, 70), (1, 1, 20, 20)):
        image = Rng(1).uniform(torch.empty(shape)) * 2 - 1
        *details, rest = laplacian_pyramid(image)
        assert min(rest.shape[-2:]) < 32
        for level in reversed(details):
            rest = _enlarged(rest, level) + level
        assert torch.allclose(rest, eight_bits(image), atol=1e-6)


def test_an_even_image_has_no_details() -> None:
    *details, rest = laplacian_pyramid(torch.full((1, 1, 64, 64), 0.2))
    assert [tuple(each.shape[-2:]) for each in details] == [(64, 64), (32, 32)]
    # At odd places of mirrored margins too: the window weighs pixels and the zeros between them alike.
    assert all(each.abs().max() < 1e-6 for each in details)
    assert torch.allclose(rest, eight_bits(torch.full((1, 1, 16, 16), 0.2)), atol=1e-6)


def test_it_is_halved_as_long_as_sixteen_pixels_remain() -> None:
    for side, levels in ((16, 1), (31, 1), (32, 2), (62, 2), (63, 3)):
        found = laplacian_pyramid(Rng(0).uniform(torch.empty(1, 1, side, side)))
        assert len(found) == levels, side
        assert found[0].shape[-1] == side


def test_the_details_of_a_sum_are_the_sum_of_the_details() -> None:
    """Of values that 8 bits hold exactly, in the middle of the range, where nothing is rounded or clamped."""
    one, other = (Rng(seed).uniform(torch.empty(2, 3, 40, 40)).mul(60).round() / 127.5 for seed in (1, 2))
    together = laplacian_pyramid(one + other - 1)
    apart = zip(laplacian_pyramid(one - 1), laplacian_pyramid(other - 1), strict=True)
    for level, (first, second) in zip(together[:-1], list(apart)[:-1], strict=True):
        assert torch.allclose(level, first + second, atol=1e-5)


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(DataError, match=r"pyramids need 7 pixels a side, not \(6, 30\)"):
        laplacian_pyramid(torch.zeros(1, 1, 6, 30))
