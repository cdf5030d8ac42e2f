from __future__ import annotations

from ebmkit.core import Energy
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.field import receptive_field
from ebmkit_convnets.residual import ResNetDescriptor
from tests.plugins.convnets.networks import LAYERS, descriptor, interacting


def test_pixels_interact_within_the_receptive_field_and_no_further() -> None:
    """A smooth activation has a second derivative everywhere, so each pair that can interact does."""
    cases: list[tuple[Energy, int]] = [
        (descriptor(activation="silu"), 22),
        (descriptor(activation="gelu", channels=(4, 4), kernels=(5, 3), strides=(2, 1)), 9),
        (
            descriptor(activation="silu", pool="average", channels=(4, 4), kernels=(5, 3), strides=(2, 2)),
            10,
        ),
    ]
    for energy, expected in cases:
        assert isinstance(energy, ConvDescriptor)
        assert energy.receptive_field == expected
        assert interacting(energy, 32) == expected
        assert f"receptive field {expected} of 32x32 pixels" in repr(energy)


def test_a_hidden_layer_joins_pixels_at_any_distance() -> None:
    energy = descriptor(activation="silu", channels=(4,), kernels=(4,), strides=(2,), hidden=5)
    assert interacting(energy, 32) == 32
    assert interacting(descriptor(activation="silu", channels=(4,), kernels=(4,), strides=(2,)), 32) == 4
    assert "receptive field 4, joined over all of 32x32 pixels" in repr(energy)


def test_the_receptive_field_of_the_paper_scene_network() -> None:
    assert receptive_field([(5, 2), (3, 2), (3, 1)]) == 17
    assert receptive_field([]) == 1


def test_repr_tells_the_receptive_field_in_points() -> None:
    assert "receptive field 9 of 24 points" in repr(ConvDescriptor((2, 24), **LAYERS))
    assert "receptive field 9, joined over all of 24 points" in repr(
        ConvDescriptor((2, 24), hidden=3, **LAYERS)
    )
    assert "receptive field 34 of 64 points" in repr(ResNetDescriptor((1, 64), channels=(2, 2, 2)))
