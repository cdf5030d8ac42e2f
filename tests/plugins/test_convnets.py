from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Rng, value_and_gradient
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator, SpatialGenerator
from tests.models import double


def small(**settings: object) -> ConvDescriptor:
    torch.manual_seed(0)
    keywords = {"channels": (4, 6), "kernels": (5, 3), "strides": (2, 1), "outputs": 7} | settings
    return ConvDescriptor((1, 12, 12), **keywords)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 32, 32), (1, 28, 28)])
@pytest.mark.parametrize("head", ["linear", "sum"])
def test_one_energy_an_image_of_every_size(shape: tuple[int, ...], head: str) -> None:
    energy = ConvDescriptor(shape, channels=(4, 8, 8), head=head)  # type: ignore[arg-type]
    assert energy(torch.zeros(3, *shape)).shape == (3,)


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


@pytest.mark.parametrize("weight_std", [0.05, 0.01])
def test_weights_start_from_the_stated_normal(weight_std: float) -> None:
    torch.manual_seed(0)
    energy = ConvDescriptor(
        (3, 64, 64), channels=(32, 64), kernels=(5, 5), strides=(2, 2), weight_std=weight_std
    )
    weights = torch.cat([p.flatten() for name, p in energy.named_parameters() if name.endswith("weight")])
    # 5 standard errors of a standard deviation.
    assert abs(weights.std() / weight_std - 1) < 5 / (2 * len(weights)) ** 0.5
    assert all(p.abs().sum() == 0 for name, p in energy.named_parameters() if name.endswith("bias"))


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


def test_a_size_that_cannot_be_doubled_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 16, but images are 28x28"):
        ConvGenerator((1, 28, 28))


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
