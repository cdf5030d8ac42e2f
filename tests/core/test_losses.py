from __future__ import annotations

import pytest
import torch

from ebmkit.core import (
    contrastive_divergence,
    gradient_penalty,
    pairwise_contrast,
    reconstruction_loss,
    squared_error,
)
from tests.models import LinearDescriptor, LinearGenerator, double


def test_density_shifting_is_the_difference_of_the_mean_gradients() -> None:
    energy = LinearDescriptor(double(3), 0.5)
    data, samples = double(7, 3, seed=1), double(2, 3, seed=2)
    contrastive_divergence(energy(data), energy(samples)).backward()  # type: ignore[no-untyped-call]
    assert energy.weight.grad is not None
    # d/dw of minus the log-likelihood gradient: mean of x over samples minus over data.
    assert torch.allclose(energy.weight.grad, samples.mean(0) - data.mean(0))


def test_the_reference_never_reaches_the_parameters() -> None:
    gradients = []
    for reference_std in (0.1, 10.0):
        energy = LinearDescriptor(double(3), reference_std)
        contrastive_divergence(energy(double(5, 3)), energy(double(4, 3, seed=1))).backward()  # type: ignore[no-untyped-call]
        gradients.append(energy.weight.grad)
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-9)  # type: ignore[arg-type]


def written_out(observed: torch.Tensor, samples: torch.Tensor, width: float) -> torch.Tensor:
    """The mean over all pairs, by autograd; T is the standard deviation of all gaps."""
    gaps = torch.stack([x - y for x in observed for y in samples])
    spread = width * gaps.detach().std(correction=0)
    return spread * (1 + (gaps / spread).exp()).log().mean()


@pytest.mark.parametrize("width", [0.3, 1.0, 4.0])
def test_the_contrast_of_pairs_and_its_gradient_are_those_of_all_pairs_one_by_one(width: float) -> None:
    observed, samples = (100 * double(n, seed=n) for n in (7, 3))
    found = {}
    for loss in (written_out, lambda x, y, width: pairwise_contrast(x, y, width=width)):
        leaves = [each.clone().requires_grad_() for each in (observed, samples)]
        value = loss(*leaves, width)
        found[loss] = [value.detach(), *torch.autograd.grad(value, leaves)]
    for expected, given in zip(*found.values(), strict=True):
        assert torch.allclose(expected, given, rtol=1e-12)


def test_pairs_of_a_large_width_weigh_alike_and_those_told_apart_nothing() -> None:
    x, y = double(7), double(3, seed=1)
    leaves = [each.requires_grad_() for each in (x, y)]
    half = [each / 2 for each in torch.autograd.grad(contrastive_divergence(x, y), leaves)]
    wide = torch.autograd.grad(pairwise_contrast(x, y, width=1e9), leaves)
    for each, expected in zip(wide, half, strict=True):
        assert torch.allclose(each, expected)
    apart = torch.autograd.grad(pairwise_contrast(x - 1e4, y, width=1.0), leaves)
    assert all((each == 0).all() for each in apart)


def test_the_contrast_of_pairs_scales_with_the_energy_and_takes_a_single_pair() -> None:
    x, y = double(7), double(3, seed=1)
    assert torch.allclose(pairwise_contrast(8 * x, 8 * y, width=0.5), 8 * pairwise_contrast(x, y, width=0.5))
    below, above = torch.zeros(1, requires_grad=True), torch.ones(1)
    assert torch.autograd.grad(pairwise_contrast(below, above, width=1.0), below)[0] == 0
    assert torch.autograd.grad(pairwise_contrast(below, -above, width=1.0), below)[0] == 1


def test_the_reconstruction_gradient_is_the_papers() -> None:
    linear = LinearGenerator(double(4, 2), double(4, seed=1), 0.3)
    x, z = double(6, 4, seed=2), double(6, 2, seed=3)
    reconstruction_loss(x, linear(z), noise_std=0.3).backward()  # type: ignore[no-untyped-call]
    residual = x - linear(z).detach()
    # (1/n) sum_i (1/sigma^2) (x_i - g(z_i)) z_i^T, descended, hence the sign.
    assert linear.matrix.grad is not None
    assert torch.allclose(linear.matrix.grad, -(residual.T @ z) / (6 * 0.3**2))


def test_the_squared_error_sums_over_everything_but_the_batch_and_obeys_the_mask() -> None:
    x, y = double(2, 3, 4, 5), double(2, 3, 4, 5, seed=1)
    assert torch.allclose(squared_error(x, y)[1], ((x[1] - y[1]) ** 2).sum())
    mask = torch.zeros(4, 5).double()
    mask[1, 2] = 1
    assert torch.allclose(squared_error(x, y, mask=mask)[0], ((x - y)[0, :, 1, 2] ** 2).sum())


def test_the_penalty_on_gradients_is_that_of_a_linear_descriptor() -> None:
    """Of E = |x|² / 2s² - w·x the gradient is x / s² - w."""
    energy, x = LinearDescriptor(double(3), 0.5), double(7, 3, seed=1).requires_grad_()
    penalty = gradient_penalty(energy(x), x)
    slopes = x.detach() / 0.5**2 - energy.weight.detach()
    assert torch.allclose(penalty, slopes.square().sum(1).mean() / 2)
    (of_weights,) = torch.autograd.grad(penalty, energy.weight)
    assert torch.allclose(of_weights, -slopes.mean(0))


def test_energies_without_a_graph_to_x_have_no_penalty() -> None:
    x = double(7, 3).requires_grad_()
    with pytest.raises(RuntimeError):
        gradient_penalty(LinearDescriptor(double(3), 0.5)(x.detach()), x)
