from __future__ import annotations

import pytest
import torch

from ebmkit.core import describe
from ebmkit.errors import DataError
from ebmkit_evaluation.pixels import Pixels
from tests.plugins.evaluation.images import smooth


def test_an_even_image_has_its_value_in_the_grid_and_no_frequencies() -> None:
    described = describe(Pixels(), torch.full((2, 3, 24, 24), 1.0))
    assert described.shape == (2, 127 * 3)
    assert torch.equal(described[:, : 64 * 3], torch.ones(2, 64 * 3))
    assert described[:, 64 * 3 :].abs().max() < 2e-3


def test_the_waves_are_orthonormal_and_orthogonal_to_what_is_even() -> None:
    waves = Pixels().get_buffer("_waves").flatten(1).double()
    assert torch.allclose(waves @ waves.T, torch.eye(63, dtype=torch.float64), atol=1e-6)
    assert waves.sum(1).abs().max() < 1e-6


def test_the_texture_keeps_its_place_when_blocks_move_and_each_channel_is_its_own() -> None:
    x = smooth(3, 1, channels=2)
    described = describe(Pixels(), x)
    turned = describe(Pixels(), x.flip(1))
    layout, texture = described[:, :128].view(3, 2, 64), described[:, 128:].view(3, 2, 63)
    assert torch.equal(turned[:, :128].view(3, 2, 64), layout.flip(1))
    assert torch.allclose(turned[:, 128:].view(3, 2, 63), texture.flip(1))


def test_small_images_are_refused() -> None:
    with pytest.raises(DataError, match=r"need 8 pixels a side, not \(7, 9\)"):
        Pixels()(torch.zeros(1, 1, 7, 9))
