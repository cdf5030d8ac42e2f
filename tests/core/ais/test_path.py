"""The Gaussian and the energies between, against closed forms and autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from ebmkit.core import Energy, Rng, value_and_gradient
from ebmkit.core.ais import Bridge, Reference
from ebmkit.errors import PluginError
from ebmkit_convnets.descriptor import ConvDescriptor
from tests.models import LinearDescriptor, double


def quartic(x: Tensor) -> Tensor:
    return (x**4 / 4 - x**2).flatten(1).sum(1)


def test_the_constant_and_the_energy_are_those_of_the_normal_law() -> None:
    mean, std = double(2, 3), double(2, 3, seed=1).exp()
    reference, law = Reference(mean, std), Independent(Normal(mean, std), 2)
    x = double(7, 2, 3, seed=2)
    assert torch.allclose(-reference.energy(x) - reference.log_z, law.log_prob(x), rtol=1e-12)
    assert torch.allclose(reference.gradient(x), (x - mean) / std**2)


def test_draws_have_its_mean_and_spread() -> None:
    """5 standard errors of 40,000 draws: a false alarm of 6e-7 for each of 6 numbers and 6 more."""
    mean, std = double(2, 3), double(2, 3, seed=1).exp()
    x = Reference(mean, std).draw(40_000, rng=Rng(1), dtype=torch.float64)
    assert torch.all((x.mean(0) - mean).abs() < 5 * std / math.sqrt(40_000))
    assert torch.all((x.var(0) / std**2 - 1).abs() < 5 * math.sqrt(2 / 40_000))


def test_draws_belong_to_chains() -> None:
    reference = Reference.isotropic(0.3, torch.zeros(4))
    whole = reference.draw(6, rng=Rng(1))
    assert torch.equal(whole[4:], reference.draw(2, rng=Rng(1, first_chain=4)))


def test_a_descriptor_brings_its_own() -> None:
    energy = LinearDescriptor(torch.zeros(5), 0.25)
    reference = Reference.of(energy, torch.zeros(5))
    assert reference is not None
    assert reference.log_z == pytest.approx(5 / 2 * math.log(2 * math.pi * 0.25**2), rel=1e-12)
    assert Reference.of(LinearDescriptor(torch.zeros(5), math.inf), torch.zeros(5)) is None
    assert Reference.of(quartic, torch.zeros(5)) is None


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 4), (3, 4), (4,)])
def test_a_descriptor_with_a_reference_for_each_channel_brings_it(shape: tuple[int, ...]) -> None:
    """E(x) = Σ x² / 2 s² is then the whole energy: it has the reference's energies, constant and draws."""
    s = double(*shape).exp()

    class Anisotropic(Energy):
        reference_std = s

        def forward(self, x: Tensor) -> Tensor:
            each = s[:, None] if shape == (3,) else s
            return (x.double() / each).square().flatten(1).sum(1) / 2

    energy, x = Anisotropic(), double(7, 3, 4, seed=1)
    reference = Reference.of(energy, x[0])
    assert reference is not None
    assert torch.allclose(reference.energy(x), energy(x))
    assert reference.std.shape == (3, 4)


def test_a_reference_that_fits_no_example_is_refused() -> None:
    energy = LinearDescriptor(torch.zeros(5), 0.25)
    energy.reference_std = torch.ones(3)  # type: ignore[assignment]
    with pytest.raises(PluginError, match=r"has the shape \(3,\), which examples of shape \(5,\) do not"):
        Reference.of(energy, torch.zeros(5))
    energy.reference_std = torch.tensor([0.25])  # type: ignore[assignment]
    like = torch.zeros(5)
    assert Reference.of(energy, like) is not None
    assert torch.equal(Reference.of(energy, like).std, Reference.isotropic(0.25, like).std)  # type: ignore[union-attr]


def test_one_is_fitted_to_examples_and_coordinates_that_stand_still_get_a_spread() -> None:
    x = double(50, 4) * torch.tensor([1.0, 2.0, 3.0, 0.0])
    reference = Reference.fitted(x)
    assert torch.allclose(reference.mean, x.mean(0))
    assert torch.allclose(reference.std[:3], x.std(0)[:3])
    assert reference.std[3].item() == pytest.approx(0.01 * float(x.var(0).mean().sqrt()))


@pytest.mark.parametrize("x", [torch.zeros(5, 2), torch.ones(1, 2), torch.ones(0, 2)])
def test_none_is_fitted_to_less_than_two_different_examples(x: Tensor) -> None:
    with pytest.raises(ValueError, match=f"two different examples at least, not to these {len(x)}"):
        Reference.fitted(x)


@pytest.mark.parametrize("beta", [1e-3, 0.4, 1.0])
def test_the_gradient_between_is_autograd_s(beta: float) -> None:
    reference = Reference(double(3), double(3, seed=1).exp())
    bridge, x = Bridge(reference, quartic, beta), double(9, 3, seed=2)
    leaf = x.clone().requires_grad_()
    value = bridge(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    prepared = bridge.prepare(x)(x)
    assert torch.allclose(prepared.value, (1 - beta) * reference.energy(x) + beta * quartic(x))
    assert torch.allclose(prepared.value, value)
    assert torch.allclose(prepared.gradient, gradient)
    assert torch.allclose(value_and_gradient(bridge, x).gradient, gradient)


def test_between_a_descriptor_and_its_gaussian_beta_tempers_the_score_alone() -> None:
    """||x||² / 2 s² - β f(x): what a descriptor's path is."""
    energy = ConvDescriptor(
        (1, 8, 8), channels=(4,), kernels=(3,), strides=(2,), outputs=2, reference_std=0.3
    )
    x = double(5, 1, 8, 8).float()
    reference = Reference.of(energy, x[0])
    assert reference is not None
    expected = x.double().flatten(1).square().sum(1) / (2 * 0.3**2) - 0.37 * energy.score(x)
    assert torch.allclose(Bridge(reference, energy, 0.37)(x), expected, rtol=1e-12)
