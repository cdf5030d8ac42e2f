from __future__ import annotations

import pytest
import torch

from ebmkit.core import Energy
from ebmkit_convnets.axes import AVERAGES, CONVOLUTIONS, TRANSPOSED, channels_and_sides
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator, SpatialGenerator
from ebmkit_convnets.residual import ResNetDescriptor


def test_other_shapes_and_lengths_are_refused_by_name() -> None:
    energies: tuple[type[Energy], ...] = (ConvDescriptor, ResNetDescriptor)
    for part in (*energies, ConvGenerator, SpatialGenerator):
        for shape in ((), (13,), (2, 3, 8, 8)):
            with pytest.raises(
                ValueError, match=r"images \(C, H, W\) and sequences \(C, L\), but examples .* mlp is for"
            ):
                part(shape)
    with pytest.raises(ValueError, match="their length must be multiples of 4, but sequences are 30"):
        ConvGenerator((1, 30), channels=(4, 4))
    with pytest.raises(ValueError, match="4 blocks halve the size 3 times, but examples are 6: fewer"):
        ResNetDescriptor((1, 6))


@pytest.mark.parametrize("shape", [(3, 8, 6), (2, 8)], ids=str)
def test_the_layers_of_a_number_of_axes_take_examples_of_so_many(shape: tuple[int, ...]) -> None:
    channels, sides = channels_and_sides(shape)
    assert (channels, *sides) == shape
    x = torch.zeros(5, *shape)
    halved = tuple(side // 2 for side in sides)
    doubled = tuple(2 * side for side in sides)
    axes = len(sides)
    assert CONVOLUTIONS[axes](channels, 4, 3, padding=1)(x).shape == (5, 4, *sides)
    assert TRANSPOSED[axes](channels, 4, 2, 2)(x).shape == (5, 4, *doubled)
    assert AVERAGES[axes](2)(x).shape == (5, channels, *halved)


@pytest.mark.parametrize("shape", [(), (4,), (1, 2, 3, 4)], ids=str)
def test_examples_of_other_axes_are_refused_with_their_shape_and_a_way_out(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="it is a network for images") as refused:
        channels_and_sides(shape)
    assert f"examples have the shape {shape}; the energy mlp is for any" in str(refused.value)
