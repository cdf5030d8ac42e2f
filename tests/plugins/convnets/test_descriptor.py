from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import value_and_gradient
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.residual import ResNetDescriptor
from tests.models import double
from tests.plugins.convnets.networks import LAYERS, descriptor, middle_rows, small


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 32, 32), (1, 28, 28)])
@pytest.mark.parametrize("head", ["linear", "sum"])
def test_one_energy_an_image_of_every_size(shape: tuple[int, ...], head: str) -> None:
    energy = ConvDescriptor(shape, channels=(4, 8, 8), head=head)  # type: ignore[arg-type]
    assert energy(torch.zeros(3, *shape)).shape == (3,)


def test_the_energy_is_reference_minus_score_written_out() -> None:
    energy = small(reference_std=0.3).double()
    x = double(4, 1, 12, 12)
    hidden: Tensor = energy.features(x)
    assert energy.head is not None
    score = energy.head(hidden.flatten(1)).sum(1)  # every output by itself, then the sum
    expected = x.flatten(1).square().sum(1) / (2 * 0.3**2) - score
    assert torch.allclose(energy(x), expected, rtol=1e-12)


def test_the_summed_head_gives_every_output_the_same_gradient() -> None:
    energy = small().double()
    x = double(4, 1, 12, 12)
    energy(x).sum().backward()
    assert energy.head is not None
    assert energy.head.weight.grad is not None
    hidden = energy.features(x).flatten(1).sum(0)
    assert torch.allclose(energy.head.weight.grad, -hidden.expand(7, -1))


def test_without_a_head_all_responses_are_summed() -> None:
    energy = small(head="sum", reference_std=float("inf"))
    x = double(2, 1, 12, 12).float()
    assert torch.allclose(-energy(x), energy.features(x).double().sum((1, 2, 3)))


def test_a_layer_is_a_convolution_with_a_leaky_rectifier() -> None:
    energy = small(leak=0.1)
    x = double(2, 1, 12, 12).float()
    convolution = energy.features[0]
    assert isinstance(convolution, nn.Conv2d)
    response = convolution(x)
    assert torch.equal(energy.features[:2](x), torch.where(response > 0, response, 0.1 * response))


def test_the_energy_gradient_is_the_finite_difference() -> None:
    energy = small(reference_std=0.5, weight_std=0.3).double()
    x, direction = double(2, 1, 12, 12), double(2, 1, 12, 12, seed=1)
    slope = (value_and_gradient(energy, x).gradient * direction).flatten(1).sum(1)
    # A kink of a rectifier inside the interval costs at most a step's share of the slope.
    step = 1e-7
    difference = (energy(x + step * direction) - energy(x - step * direction)) / (2 * step)
    assert torch.allclose(difference, slope, rtol=1e-5)


def test_rows_do_not_depend_on_each_other() -> None:
    energy, x = small(), double(5, 1, 12, 12).float()
    alone = torch.cat([energy(row[None]) for row in x])
    assert torch.allclose(energy(x), alone, rtol=1e-6)


def test_differences_of_large_energies_survive() -> None:
    """At s = 0.016 a 64x64 image has an energy near 10^6 nats, where float32 resolves 0.06 to 0.5."""
    torch.manual_seed(0)
    energy = ConvDescriptor((3, 64, 64), channels=(8, 8), kernels=(5, 3), strides=(2, 2), weight_std=0.2)
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    moved = x.clone()
    moved[0, 0, 10, 10] += 5e-3
    exact = energy.double()(moved.double()) - energy(x.double())
    energy.float()
    difference = energy(moved) - energy(x)
    assert energy(x).dtype == torch.float64
    assert energy(x).abs() > 1e6
    assert torch.allclose(difference, exact, atol=0.02)
    assert (energy(moved).float() - energy(x).float() - exact).abs() > 0.02


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": (4, 6, 8)}, "3, 2 and 2 entries"),
        ({"channels": (4,) * 5, "kernels": (4,) * 5, "strides": (2,) * 5}, "too small"),
    ],
)
def test_a_descriptor_that_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**settings)


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
