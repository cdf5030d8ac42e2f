"""Activations, pooling, receptive fields, upsampling and spectral normalisation of the ConvNets."""

from __future__ import annotations

import copy
import math
from typing import Any, get_args

import pytest
import torch
from torch import nn

from ebmkit.core import Energy, Rng, run_chain
from ebmkit_convnets.activations import Activation, activation_layer, gain
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.field import receptive_field
from ebmkit_convnets.generator import ConvGenerator, SpatialGenerator
from ebmkit_convnets.residual import ResNetDescriptor
from ebmkit_convnets.upsampling import Upsampling, doubling, start_alike
from ebmkit_langevin.langevin import Langevin
from tests.models import double

ACTIVATIONS = get_args(Activation)


def descriptor(side: int = 32, **settings: Any) -> ConvDescriptor:
    torch.manual_seed(0)
    keywords = {"channels": (4, 4, 4), "kernels": (4, 4, 4), "strides": (2, 2, 2), "outputs": 2} | settings
    return ConvDescriptor((1, side, side), reference_std=0.3, initialisation="he", **keywords)


def interacting(energy: Energy, side: int) -> int:
    """The largest distance in columns, plus one, of two pixels whose second derivative is not zero."""
    x = double(1, 1, side, side).requires_grad_()
    energy = energy.double()
    (gradient,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
    reach = 0
    for column in range(side):
        (second,) = torch.autograd.grad(gradient[0, 0, side // 2, column], x, retain_graph=True)
        columns = (second[0, 0].abs() > 0).any(0).nonzero()[:, 0]
        reach = max(reach, int((columns - column).abs().max()) + 1)
    return reach


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


def test_a_residual_descriptor_sees_what_it_says() -> None:
    torch.manual_seed(0)
    energy = ResNetDescriptor((1, 32, 32), channels=(3, 4), spectral_norm=False)
    assert energy.receptive_field == 16
    assert interacting(energy, 32) == 16
    assert [ResNetDescriptor((1, 32, 32), channels=(2,) * n).receptive_field for n in (3, 4)] == [34, 70]


def test_the_receptive_field_of_the_paper_scene_network() -> None:
    assert receptive_field([(5, 2), (3, 2), (3, 1)]) == 17
    assert receptive_field([]) == 1


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_gain_keeps_the_mean_square(name: Activation) -> None:
    """Against a fine midpoint rule for E[φ(u)²]; the truncated tails beyond 9 weigh below 1e-15."""
    u = (torch.arange(180_000, dtype=torch.float64) + 0.5) / 1e4 - 9
    density = torch.exp(-(u**2) / 2) / math.sqrt(2 * math.pi) / 1e4
    second_moment = float((activation_layer(name, 0.2)(u.clone()) ** 2 * density).sum())
    assert gain(name, 0.2) == pytest.approx(second_moment**-0.5, rel=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_he_weights_keep_the_size_of_what_wide_layers_pass_on(name: Activation) -> None:
    torch.manual_seed(0)
    energy = ConvDescriptor(
        (256, 4, 4), channels=(256,) * 3, kernels=(1,) * 3, strides=(1,) * 3, activation=name,
        initialisation="he", hidden=256, outputs=400,
    )  # fmt: skip
    x = torch.randn(256, 256, 4, 4)
    responses = energy.features[:-1](x)
    # The mean square over 256 random units spreads by some 9 % a layer.
    assert float(responses.detach().square().mean()) == pytest.approx(1, abs=0.2)
    assert energy.head is not None
    assert float(energy.head.weight.detach().std()) == pytest.approx(gain(name, 0.2) / 16, rel=0.02)
    assert float(energy.features[0].bias.detach().abs().sum()) == 0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_small_weights_are_kept_for_homogeneous_activations_alone(name: Activation) -> None:
    widths = []
    for how in ("auto", "normal", "he"):
        torch.manual_seed(0)
        energy = ConvDescriptor((3, 32, 32), activation=name, initialisation=how)
        widths.append(float(energy.features[2].weight.detach().std()))
    small, large = widths[1:]
    assert small == pytest.approx(0.01, rel=0.02)
    assert large > 0.05
    assert widths[0] == (small if "relu" in name else large)


def test_old_settings_give_the_old_bits() -> None:
    """The layers of the paper's descriptor, as they were written before there were others."""
    torch.manual_seed(3)
    energy = ConvDescriptor((3, 16, 16), channels=(4, 6), kernels=(5, 3), strides=(2, 1))
    torch.manual_seed(3)
    plain = nn.Sequential(
        nn.Conv2d(3, 4, 5, 2, padding=2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4, 6, 3, 1, padding=1),
        nn.LeakyReLU(0.2),
    )
    head = nn.Linear(6 * 64, 100)
    for module in (plain[0], plain[2], head):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
    state = energy.state_dict()
    expected = {f"features.{key}": value for key, value in plain.state_dict().items()}
    expected |= {f"head.{key}": value for key, value in head.state_dict().items()}
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in state)
    x = double(2, 3, 16, 16).float()
    score = plain(x).flatten(1).double() @ head.weight.sum(0).double() + head.bias.sum().double()
    assert torch.equal(energy(x), x.flatten(1).double().square().sum(1) / (2 * 0.016**2) - score)


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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"pool": "average"},
            r"average pooling wants odd kernels, which keep the size of maps, not \(4, 4, 4\)",
        ),
        ({"hidden": 3, "head": "sum"}, 'a hidden layer needs head = "linear"'),
    ],
)
def test_layers_that_do_not_go_together_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        descriptor(**settings)
    with pytest.raises(ValueError, match="5 blocks halve the size 4 times, but examples are 8x8"):
        ResNetDescriptor((1, 8, 8), channels=(2,) * 5)


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


def residual(**settings: Any) -> ResNetDescriptor:
    torch.manual_seed(0)
    return ResNetDescriptor((1, 16, 16), **({"channels": (4, 6)} | settings))


def convolutions(energy: nn.Module) -> list[nn.Conv2d]:
    return [module for module in energy.modules() if isinstance(module, nn.Conv2d)]


def test_spectral_normalisation_gives_a_largest_singular_value_of_one() -> None:
    energy = residual()
    assert len(convolutions(energy)) == 6
    for layer in convolutions(energy):
        original = layer.parametrizations.weight.original  # type: ignore[union-attr]
        assert abs(float(torch.linalg.matrix_norm(original.detach().flatten(1), 2)) - 1) > 0.05
        layer.parametrizations.weight[0].advance(original, steps=200)  # type: ignore[union-attr, operator, index]
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(
            1, abs=1e-4
        )
    assert not [name for name in residual(spectral_norm=False).state_dict() if "parametrizations" in name]


def test_the_power_iteration_moves_once_an_update_and_never_in_a_chain() -> None:
    energy = residual().train()
    before = copy.deepcopy(energy.state_dict())
    x = double(3, 1, 16, 16).float()
    energy(x)
    with torch.no_grad():
        energy(x)
    run_chain(Langevin(step_size=0.01), energy, x, steps=2, rng=Rng(0))
    assert all(torch.equal(value, before[key]) for key, value in energy.state_dict().items())
    with torch.no_grad():  # as an optimizer would, so that the iteration has not converged
        for parameter in energy.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    loss = energy(x).mean() - energy(-x).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    layer = convolutions(energy)[0]
    norm = layer.parametrizations.weight[0]  # type: ignore[union-attr, index]
    matrix = layer.parametrizations.weight.original.detach().flatten(1)  # type: ignore[union-attr]
    right = nn.functional.normalize(matrix.T @ before["stem.parametrizations.weight.0.left"], dim=0)
    assert not torch.equal(right, before["stem.parametrizations.weight.0.right"])
    assert torch.equal(norm.right, right)
    assert torch.equal(norm.left, nn.functional.normalize(matrix @ right, dim=0))


def test_a_sum_head_takes_images_of_any_size() -> None:
    assert residual()(torch.zeros(2, 1, 40, 24)).shape == (2,)
    assert residual(head="linear")(torch.zeros(2, 1, 16, 16)).shape == (2,)


def test_the_residual_energy_written_out() -> None:
    energy = residual(reference_std=0.3, outputs=3, spectral_norm=False).double()
    x = double(2, 1, 16, 16)
    silu = nn.functional.silu
    h = energy.stem(x)
    (_, one, _, two), (_, three, _, four) = (block.branch for block in energy.blocks)  # type: ignore[union-attr, misc]
    h = nn.functional.avg_pool2d(h + two(silu(one(silu(h)))), 2)
    h = energy.blocks[1].shortcut(h) + four(silu(three(silu(h))))  # type: ignore[union-attr, operator]
    score = energy.head(silu(h).sum((2, 3))).sum(1)
    assert torch.allclose(energy(x), x.flatten(1).square().sum(1) / (2 * 0.3**2) - score, rtol=1e-12)


def dependent_share(**settings: Any) -> float:
    """Of the mean square of the gradient of f, what differs between images."""
    torch.manual_seed(0)
    sizes = {"channels": (16, 32, 64), "kernels": (4,) * 3, "strides": (2,) * 3}
    energy = ConvDescriptor((1, 32, 32), **(sizes | settings))  # type: ignore[arg-type]
    x = double(20, 1, 32, 32).float().mul(0.5).requires_grad_()
    (gradient,) = torch.autograd.grad(energy.score(x).sum(), x)
    return float((gradient - gradient.mean(0)).square().sum() / gradient.square().sum())


@pytest.mark.parametrize("name", ["silu", "gelu"])
def test_small_weights_make_a_smooth_activation_linear_and_he_weights_do_not(name: Activation) -> None:
    """A gradient that is the same at all images draws one pattern of kernels over all of them."""
    assert dependent_share(activation=name, initialisation="normal") < 0.01
    assert dependent_share(activation=name) > 0.1
    assert dependent_share(activation="leaky-relu") > 0.1
