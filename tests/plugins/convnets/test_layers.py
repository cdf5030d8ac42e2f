from __future__ import annotations

import torch
from torch import nn

from ebmkit.core import Rng
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator
from tests.models import double
from tests.plugins.convnets.networks import LAYERS, descriptor


def batch_generator() -> ConvGenerator:
    torch.manual_seed(0)
    return ConvGenerator((1, 16, 16), latents=3, channels=(16, 8), norm="batch")


def test_looking_at_a_batch_normalised_generator_does_not_change_it() -> None:
    generator = batch_generator().train()
    z = generator.prior(8, rng=Rng(0))
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    with torch.no_grad():
        looked = generator(z)
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())
    learned = generator(z)
    assert torch.allclose(looked, learned, atol=1e-6)
    assert any(not torch.equal(before[name], value) for name, value in generator.state_dict().items())


def test_in_eval_mode_no_image_depends_on_its_neighbours() -> None:
    generator = batch_generator()
    z = generator.prior(8, rng=Rng(0))
    generator(z)
    assert not torch.allclose(generator(z[:2]), generator(z)[:2], atol=1e-3)
    generator.eval()
    assert torch.allclose(generator(z[:2]), generator(z)[:2], atol=1e-6)


def test_group_normalisation_is_the_same_function_in_every_mode() -> None:
    torch.manual_seed(0)
    generator = ConvGenerator((1, 16, 16), latents=3, channels=(16, 8), norm="group")
    z = generator.prior(8, rng=Rng(0))
    together = generator(z)
    assert torch.allclose(generator(z[:2]), together[:2], atol=1e-6)
    assert torch.equal(generator.eval()(z), together)


def test_area_scaling_divides_each_gradient_by_the_positions_of_its_layer() -> None:
    x = double(2, 1, 12, 12).float()
    plain = ConvDescriptor((1, 12, 12), channels=(3, 2), kernels=(3, 3), strides=(2, 1))
    scaled = ConvDescriptor((1, 12, 12), channels=(3, 2), kernels=(3, 3), strides=(2, 1), area_scaling=True)
    scaled.load_state_dict(plain.state_dict())
    for energy in (plain, scaled):
        energy(x).sum().backward()
    areas = {"features.0": 36, "features.2": 36, "head": 1}
    for (name, a), b in zip(plain.named_parameters(), scaled.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert torch.allclose(b.grad, a.grad / areas[name.rpartition(".")[0]], rtol=1e-5)


def test_batch_always_uses_the_statistics_of_the_batch_in_every_mode() -> None:
    generator = ConvGenerator((1, 16, 16), latents=4, channels=(8, 4), norm="batch-always")
    z = double(6, 4).float()
    with torch.no_grad():
        training, evaluation = generator(z), generator.eval()(z)
    assert torch.equal(training, evaluation)
    assert not torch.allclose(generator(z[:3]), evaluation[:3])


def test_average_pooling_gives_every_pixel_its_share() -> None:
    """With all weights 1 the gradient of what is summed is alike on inner pixels; strides leave a grid."""
    spread = {}
    for pool, kernel in (("average", 5), ("stride", 5)):
        energy = descriptor(
            channels=(2, 2), kernels=(kernel, 3), strides=(2, 2), activation="relu", pool=pool, head="sum"
        )
        for parameter in energy.parameters():
            nn.init.ones_(parameter)
        x = torch.ones(1, 1, 32, 32, requires_grad=True)
        (gradient,) = torch.autograd.grad(energy.score(x).sum(), x)
        inner = gradient[0, 0, 12:20, 12:20]
        spread[pool] = float((inner.max() - inner.min()) / inner.mean())
    assert spread["average"] < 1e-6
    assert spread["stride"] > 0.1


def test_pooling_leaves_no_pixel_of_an_odd_size_out() -> None:
    energy = ConvDescriptor(
        (1, 15, 15), channels=(3, 3), kernels=(1, 1), strides=(2, 2), pool="average", initialisation="he",
        reference_std=float("inf"),
    )  # fmt: skip
    x = double(1, 1, 15, 15).float().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(x).sum(), x)
    assert int((gradient != 0).sum()) == 15 * 15


def test_area_scaling_divides_by_the_points_of_a_layer() -> None:
    plain, scaled = (ConvDescriptor((1, 12), area_scaling=each, **LAYERS) for each in (False, True))
    scaled.load_state_dict(plain.state_dict())
    for energy in (plain, scaled):
        energy(double(2, 1, 12).float()).sum().backward()
    for name, points in (("features.0", 6), ("features.2", 3)):
        gradients = [energy.get_submodule(name).weight.grad for energy in (plain, scaled)]
        assert torch.allclose(gradients[1], gradients[0] / points, rtol=1e-5)  # type: ignore[operator, arg-type]
