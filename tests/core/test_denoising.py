from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import EnergyFn, denoised, score_matching
from tests.models import double

STD = 0.3
"""σ of the energies below."""


def quadratic(precision: float) -> EnergyFn:
    return lambda x: precision / 2 * x.square().sum(1)


def quantiles(count: int) -> Tensor:
    """Of N(0, 1), ``(count, 1)``: means over them are expectations to about 1 / count."""
    shares = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return math.sqrt(2) * torch.erfinv(2 * shares - 1)[:, None]


def test_of_gaussian_data_the_denoised_are_the_posterior_mean() -> None:
    x = double(5, 3)
    spread = 0.7
    exact = denoised(quadratic(1 / (spread**2 + STD**2)), x, noise_std=STD)
    assert torch.allclose(exact, x * spread**2 / (spread**2 + STD**2))


def test_losses_differ_as_the_fisher_divergences_from_the_blurred_data_do() -> None:
    """Vincent's theorem, for two points of data in expectation over the noise."""
    points, noise = torch.tensor([[-1.0], [0.4]]).double(), quantiles(40_001)

    def score(x: Tensor) -> Tensor:
        """Of the data blurred by N(0, σ²)."""
        weights = (-(x - points.T).square() / (2 * STD**2)).softmax(1)
        return (weights * (points.T - x)).sum(1, keepdim=True) / STD**2

    def losses(energy: EnergyFn) -> tuple[float, float]:
        matched = divergence = 0.0
        for point in points:
            x = point.expand_as(noise)
            levels = torch.full((len(x),), STD, dtype=torch.float64)
            matched += float(score_matching(energy, x, noise, levels=levels, noise_std=STD).loss.detach()) / 2
            noisy = (x + STD * noise).requires_grad_()
            (slope,) = torch.autograd.grad(energy(noisy).sum(), noisy)
            divergence += float((slope + score(noisy.detach())).square().mean()) / 4
        return matched, STD**2 * divergence

    one, other = losses(quadratic(0.8)), losses(lambda x: (x**4 / 4 - x.sin()).sum(1))
    assert one[0] - other[0] == pytest.approx(one[1] - other[1], rel=1e-3)


def test_of_gaussian_data_the_loss_is_least_at_the_blurred_density() -> None:
    """The derivative by the precision vanishes there, within five standard errors of 20,000 numbers."""
    spread, count = 0.7, 20_000
    x, noise = spread * double(count, 1), double(count, 1, seed=1)
    precision = torch.tensor(1 / (spread**2 + STD**2), dtype=torch.float64, requires_grad=True)
    levels = torch.full((count,), STD, dtype=torch.float64)
    learned = score_matching(
        lambda y: precision / 2 * y.square().sum(1), x, noise, levels=levels, noise_std=STD
    )
    (slope,) = torch.autograd.grad(learned.loss, precision)
    noisy = x + STD * noise
    each = STD * noisy * (STD * float(precision.detach()) * noisy - noise)
    assert abs(float(slope)) < 5 * float(each.std()) / math.sqrt(count)
    assert float(slope) == pytest.approx(float(each.mean()))


def test_at_each_level_the_error_is_counted_in_noise_of_that_level() -> None:
    """E = |x|²/2σ² denoises everything to 0: what is off is x itself."""
    x, levels = double(6, 2, 3), torch.linspace(0.3, 2.0, 6).double()
    for seed in (1, 2):
        learned = score_matching(
            lambda y: y.flatten(1).square().sum(1) / (2 * STD**2),
            x,
            double(6, 2, 3, seed=seed),
            levels=levels,
            noise_std=STD,
        )
        expected = (x.flatten(1).square().sum(1) / levels**2).mean() / 2
        assert torch.allclose(learned.loss, expected)
        assert learned.denoised.abs().max() < 1e-12
        assert not learned.denoised.requires_grad


@pytest.mark.parametrize("use", [denoised, score_matching])
def test_neither_the_data_nor_the_weights_collect_gradients(use: Callable[..., object]) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.SiLU(), nn.Linear(4, 1), nn.Flatten(0)).double()
    x = double(5, 3)
    before = x.clone()
    if use is denoised:
        denoised(net, x, noise_std=STD)
    else:
        score_matching(net, x, double(5, 3, seed=1), levels=torch.ones(5).double(), noise_std=STD)
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert all(each.grad is None for each in net.parameters())


def test_denoising_takes_the_energy_as_it_is_evaluated_and_leaves_it_in_training() -> None:
    net = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1), nn.Flatten(0)).double()
    x = double(4, 3)
    linear = net[1]
    assert torch.allclose(denoised(net, x, noise_std=STD), x - STD**2 * linear.weight)
    assert net.training
