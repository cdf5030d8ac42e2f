"""The networks on sequences (C, L): a sequence is an image one pixel high."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Energy, Rng, given
from ebmkit_convnets.conditional import ClassDescriptor, ClassGenerator
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator, SpatialGenerator
from ebmkit_convnets.layers import Norm
from ebmkit_convnets.residual import ResNetDescriptor
from ebmkit_convnets.upsampling import Upsampling, doubling, start_alike
from tests.models import double

LAYERS: dict[str, Any] = {"channels": (4, 6), "kernels": (5, 3), "strides": (2, 2), "weight_std": 0.2}


def middle_rows(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the kernels of images one pixel high, of which nothing else meets anything but padding."""
    return {
        name: each[:, :, each.shape[2] // 2] if each.ndim == 4 else each for name, each in weights.items()
    }


@pytest.mark.parametrize(
    "settings", [{}, {"pool": "average"}, {"head": "sum"}, {"hidden": 3}, {"activation": "silu"}], ids=str
)
def test_the_descriptor_of_a_sequence_is_that_of_an_image_one_pixel_high(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    of_images = ConvDescriptor((2, 1, 24), reference_std=0.3, **(LAYERS | settings)).double()
    of_sequences = ConvDescriptor((2, 24), reference_std=0.3, **(LAYERS | settings)).double()
    of_sequences.load_state_dict(middle_rows(of_images.state_dict()))
    x = double(3, 2, 24)
    assert torch.allclose(of_sequences(x), of_images(x[:, :, None]), rtol=1e-12)
    assert of_sequences.score(x).std() > 1e-4


def test_the_class_descriptor_of_a_sequence_is_that_of_an_image_one_pixel_high() -> None:
    torch.manual_seed(0)
    of_images = ClassDescriptor((2, 1, 24), 3, reference_std=0.3, **LAYERS).double()
    of_sequences = ClassDescriptor((2, 24), 3, reference_std=0.3, **LAYERS).double()
    of_sequences.load_state_dict(middle_rows(of_images.state_dict()))
    x = double(3, 2, 24)
    assert torch.allclose(of_sequences.scores(x), of_images.scores(x[:, :, None]), rtol=1e-12)


@pytest.mark.parametrize("head", ["sum", "linear"])
def test_the_residual_energy_of_a_sequence_written_out(head: Any) -> None:
    torch.manual_seed(0)
    energy = ResNetDescriptor((2, 21), channels=(4, 6), head=head, outputs=3, spectral_norm=False).double()
    x, silu = double(2, 2, 21), nn.functional.silu
    h = energy.stem(x)
    (_, one, _, two), (_, three, _, four) = (block.branch for block in energy.blocks)  # type: ignore[union-attr, misc]
    h = nn.functional.avg_pool1d(h + two(silu(one(silu(h)))), 2, ceil_mode=True)
    h = energy.blocks[1].shortcut(h) + four(silu(three(silu(h))))  # type: ignore[union-attr, operator]
    responses = silu(h).sum(2) if head == "sum" else silu(h).flatten(1)
    assert torch.allclose(energy(x), -energy.head(responses).sum(1), rtol=1e-12)


def test_area_scaling_divides_by_the_points_of_a_layer() -> None:
    plain, scaled = (ConvDescriptor((1, 12), area_scaling=each, **LAYERS) for each in (False, True))
    scaled.load_state_dict(plain.state_dict())
    for energy in (plain, scaled):
        energy(double(2, 1, 12).float()).sum().backward()
    for name, points in (("features.0", 6), ("features.2", 3)):
        gradients = [energy.get_submodule(name).weight.grad for energy in (plain, scaled)]
        assert torch.allclose(gradients[1], gradients[0] / points, rtol=1e-5)  # type: ignore[operator, arg-type]


@pytest.mark.parametrize("how", get_args(Upsampling))
@pytest.mark.parametrize("norm", get_args(Norm))
def test_every_generator_makes_sequences(how: Upsampling, norm: Norm) -> None:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"channels": (6, 4), "kernel": 3, "norm": norm}
    generator = ConvGenerator((2, 24), latents=3, upsampling=how, **settings)
    z = generator.prior(4, rng=Rng(0))
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    with torch.no_grad():
        generator(z)  # looking changes nothing
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())
    x = generator(z)
    assert x.shape == (4, 2, 24)
    assert x.abs().max() < 1
    spatial = SpatialGenerator((2, 24), upsampling=how, **settings)
    assert spatial.latent_shape == (1, 3)
    assert spatial(torch.zeros(2, 1, 5)).shape == (2, 2, 40)
    classes = given(ClassGenerator((2, 24), 3, latents=3, **settings), torch.tensor([2]))
    assert classes(z).shape == (4, 2, 24)


def test_a_subpixel_layer_starts_as_a_convolution_whose_values_are_repeated() -> None:
    torch.manual_seed(0)
    layer = doubling(4, 3, 3, "subpixel", axes=1)
    start_alike(layer)
    convolution: nn.Conv1d = layer[0]  # type: ignore[index]
    x = torch.randn(2, 4, 5)
    once = nn.functional.conv1d(x, convolution.weight[::2], convolution.bias[::2], padding=1)  # type: ignore[index]
    assert torch.equal(layer(x), once.repeat_interleave(2, 2))


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


def test_repr_tells_the_receptive_field_in_points() -> None:
    assert "receptive field 9 of 24 points" in repr(ConvDescriptor((2, 24), **LAYERS))
    assert "receptive field 9, joined over all of 24 points" in repr(
        ConvDescriptor((2, 24), hidden=3, **LAYERS)
    )
    assert "receptive field 34 of 64 points" in repr(ResNetDescriptor((1, 64), channels=(2, 2, 2)))
