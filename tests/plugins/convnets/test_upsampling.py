from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from ebmkit_convnets.generator import ConvGenerator, SpatialGenerator
from ebmkit_convnets.upsampling import Upsampling, doubling, start_alike


@pytest.mark.parametrize("how", get_args(Upsampling))
def test_every_upsampling_doubles_exactly(how: Upsampling) -> None:
    generator = ConvGenerator((1, 16, 12), latents=3, channels=(6, 4), kernel=3, upsampling=how)
    assert generator(torch.zeros(2, 3)).shape == (2, 1, 16, 12)
    spatial = SpatialGenerator((1, 16, 16), channels=(6,), kernel=5, upsampling=how)
    assert spatial(torch.zeros(2, 1, 4, 4)).shape == (2, 1, 16, 16)


@pytest.mark.parametrize("how", ["resize", "subpixel"])
def test_an_even_kernel_is_refused_where_sizes_must_stay(how: Upsampling) -> None:
    with pytest.raises(ValueError, match=f"upsampling = '{how}' wants an odd kernel, .*, not 4"):
        ConvGenerator((1, 16, 16), kernel=4, channels=(4, 4), upsampling=how)


@pytest.mark.parametrize("how", ["resize", "subpixel"])
def test_a_constant_becomes_a_constant_where_upsampling_is_even(how: Upsampling) -> None:
    """At the start, away from the borders: four equal pixels of a convolution, or one of repeated values."""
    torch.manual_seed(0)
    for axes, inside in ((2, (..., slice(4, 12), slice(4, 12))), (1, (..., slice(4, 12)))):
        layer = doubling(3, 2, 3, how, axes=axes)
        start_alike(layer)
        x = torch.randn(1, 3, *[1] * axes).expand(1, 3, *[8] * axes)
        inner = layer(x)[inside]
        assert torch.allclose(
            inner, inner[0, :, *[0] * axes].view(1, 2, *[1] * axes).expand_as(inner), atol=1e-6
        )


def test_a_subpixel_layer_starts_as_a_convolution_with_nearest_neighbour_upsampling() -> None:
    torch.manual_seed(0)
    generator = ConvGenerator(
        (1, 8, 8), latents=3, channels=(4,), kernel=3, upsampling="subpixel", weight_std=0.1
    )
    (layer,) = (module for module in generator.modules() if isinstance(module, nn.PixelShuffle))
    convolution = next(module for module in generator.layers.modules() if isinstance(module, nn.Conv2d))
    x = torch.randn(2, 4, 4, 4)
    once = nn.functional.conv2d(x, convolution.weight[::4], convolution.bias[::4], padding=1)  # type: ignore[index]
    assert torch.equal(layer(convolution(x)), nn.functional.interpolate(once, scale_factor=2))


def test_a_subpixel_layer_starts_as_a_convolution_whose_values_are_repeated() -> None:
    torch.manual_seed(0)
    layer = doubling(4, 3, 3, "subpixel", axes=1)
    start_alike(layer)
    convolution: nn.Conv1d = layer[0]  # type: ignore[index]
    x = torch.randn(2, 4, 5)
    once = nn.functional.conv1d(x, convolution.weight[::2], convolution.bias[::2], padding=1)  # type: ignore[index]
    assert torch.equal(layer(x), once.repeat_interleave(2, 2))
