from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from ebmkit.core import Rng, given
from ebmkit_convnets.conditional import ClassGenerator
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator, SpatialGenerator
from ebmkit_convnets.layers import Norm
from ebmkit_convnets.upsampling import Upsampling
from tests.models import double
from tests.plugins.convnets.networks import small


@pytest.mark.parametrize(
    ("shape", "channels"), [((3, 64, 64), (8, 8, 4, 4)), ((1, 32, 32), (8, 4, 4)), ((1, 28, 28), (8, 4))]
)
@pytest.mark.parametrize("kernel", [3, 4, 5])
def test_one_image_a_latent_of_every_size(
    shape: tuple[int, ...], channels: tuple[int, ...], kernel: int
) -> None:
    generator = ConvGenerator(shape, latents=5, channels=channels, kernel=kernel)
    x = generator(generator.prior(3, rng=Rng(0)))
    assert x.shape == (3, *shape)
    assert x.abs().max() < 1


def test_every_parameter_learns() -> None:
    energy = small()
    energy(double(4, 1, 12, 12).float()).sum().backward()
    for norm in ("batch", "group", "none"):
        generator = ConvGenerator((1, 16, 16), latents=3, channels=(16, 8), norm=norm)  # type: ignore[arg-type]
        generator(generator.prior(4, rng=Rng(0))).square().sum().backward()
        for name, parameter in [*energy.named_parameters(), *generator.named_parameters()]:
            assert parameter.grad is not None, name
            if not (norm == "batch" and name == "project.bias"):  # the normalisation takes it out
                assert parameter.grad.abs().sum() > 0, name


def test_a_size_that_cannot_be_doubled_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 16, but images are 28x28"):
        ConvGenerator((1, 28, 28))


def test_the_paper_texture_network_maps_7x7_latents_to_224_and_14x14_to_448() -> None:
    generator = SpatialGenerator((3, 224, 224), channels=(8, 8, 4, 4)).eval()
    descriptor = ConvDescriptor(
        (3, 224, 224), channels=(10, 7, 3), kernels=(15, 9, 7), strides=(3, 1, 1), head="sum", leak=0
    )
    assert generator.latent_shape == (1, 7, 7)
    small, large = generator(torch.zeros(1, 1, 7, 7)), generator(torch.zeros(1, 1, 14, 14))
    assert small.shape == (1, 3, 224, 224)
    assert large.shape == (1, 3, 448, 448)
    assert descriptor.features(small).shape == (1, 3, 75, 75)  # the authors' 75x75 responses
    assert descriptor(large).shape == (1,)


def test_a_spatial_generator_is_the_same_function_of_every_patch_of_z() -> None:
    generator = SpatialGenerator((1, 32, 32), channels=(8, 4), kernel=4, norm="none").eval()
    z = double(1, 1, 8, 8).float()
    whole, part = generator(z), generator(z[..., 1:7, 1:7])
    # Away from the borders, shifted by one latent of 8 pixels.
    assert torch.allclose(whole[..., 24:40, 24:40], part[..., 16:32, 16:32], atol=1e-6)


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
