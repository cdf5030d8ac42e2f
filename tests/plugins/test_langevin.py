"""Langevin dynamics against its exact law on Gaussians.

On E = |x - m|^2 / 2 s^2 one step is x' = m + (1 - a)(x - m) + d e with a = d^2 / 2 s^2, so after l
steps from x0: mean m + (1 - a)^l (x0 - m), variance d^2 (1 - (1 - a)^(2l)) / (1 - (1 - a)^2), which
tends to s^2 / (1 - d^2 / 4 s^2). Chains are independent, so a mean has the standard error sd / sqrt(n)
and a variance v sqrt(2 / n); every threshold is 5 of them, a false alarm of 6e-7 each.
"""

from __future__ import annotations

import math

import pytest
import torch

from ebmkit.core import Rng, run_chain, value_and_gradient
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearDescriptor, double

CHAINS = 40_000
STD = 0.4
WEIGHT = torch.tensor([2.0, -5.0], dtype=torch.float64)
MEAN = STD**2 * WEIGHT


def law(step_size: float, steps: int, start: float, temperature: float = 1.0) -> tuple[torch.Tensor, float]:
    keep = 1 - step_size**2 / (2 * STD**2)
    mean = MEAN + keep**steps * (start - MEAN)
    return mean, temperature * step_size**2 * (1 - keep ** (2 * steps)) / (1 - keep**2)


@pytest.mark.parametrize("steps", [1, 3, 20, 300])
@pytest.mark.parametrize("ratio", [0.3, 1.2])
def test_every_step_has_the_exact_transient_law(steps: int, ratio: float) -> None:
    step_size, start = ratio * STD, 1.5
    energy = LinearDescriptor(WEIGHT, STD)
    x = torch.full((CHAINS, 2), start, dtype=torch.float64)
    x = run_chain(Langevin(step_size=step_size), energy, x, steps=steps, rng=Rng(4)).x
    mean, variance = law(step_size, steps, start)
    assert torch.all((x.mean(0) - mean).abs() < 5 * math.sqrt(variance / CHAINS))
    assert torch.all((x.var(0) / variance - 1).abs() < 5 * math.sqrt(2 / CHAINS))
    assert abs(torch.corrcoef(x.T)[0, 1]) < 5 / math.sqrt(CHAINS)


def test_the_stationary_law_is_the_papers_mean_with_the_biased_variance() -> None:
    step_size = 1.2 * STD
    mean, variance = law(step_size, 10_000, 0.0)
    assert variance == pytest.approx(STD**2 / (1 - step_size**2 / (4 * STD**2)))
    assert torch.allclose(mean, STD**2 * WEIGHT)


@pytest.mark.parametrize("temperature", [0.25, 4.0])
def test_the_temperature_scales_the_variance(temperature: float) -> None:
    step_size = 0.8 * STD
    sampler = Langevin(step_size=step_size, temperature=temperature)
    start = torch.zeros(CHAINS, 2, dtype=torch.float64)
    x = run_chain(sampler, LinearDescriptor(WEIGHT, STD), start, steps=60, rng=Rng(5)).x
    mean, variance = law(step_size, 60, 0.0, temperature)
    assert torch.all((x.mean(0) - mean).abs() < 5 * math.sqrt(variance / CHAINS))
    assert torch.all((x.var(0) / variance - 1).abs() < 5 * math.sqrt(2 / CHAINS))


@pytest.mark.parametrize(
    "sampler", [Langevin(step_size=0.2, noise=False), Langevin(step_size=0.2, temperature=0.0)]
)
def test_without_noise_it_descends_by_half_the_squared_step(sampler: Langevin) -> None:
    energy = LinearDescriptor(WEIGHT, STD)
    x = double(5, 2)
    samples = run_chain(sampler, energy, x, steps=1, rng=Rng(0))
    assert torch.allclose(samples.x, x - 0.2**2 / 2 * value_and_gradient(energy, x).gradient)
    assert samples.stats.keys() == {"drift"}


def test_one_noiseless_step_of_the_right_size_is_the_auto_encoder_map() -> None:
    std = 0.3
    torch.manual_seed(0)
    energy = ConvDescriptor((1, 12, 12), channels=(4, 6), kernels=(5, 3), strides=(2, 1), reference_std=std)
    energy = energy.double()
    x = double(3, 1, 12, 12).requires_grad_()
    (decoded,) = torch.autograd.grad(energy.score(x).sum(), x)
    step = Langevin(step_size=math.sqrt(2) * std, noise=False)
    assert torch.allclose(run_chain(step, energy, x, steps=1, rng=Rng(0)).x, std**2 * decoded, atol=1e-12)


def test_it_watches_drift_noise_and_their_shares() -> None:
    energy = LinearDescriptor(WEIGHT, STD)
    x = double(50, 2)
    stats = run_chain(Langevin(step_size=0.1), energy, x, steps=1, rng=Rng(0)).stats
    drift = (0.1**2 / 2 * value_and_gradient(energy, x).gradient).square().mean(1).sqrt()
    assert torch.allclose(stats["drift"], drift.mean())
    assert float(stats["noise"]) == pytest.approx(0.1)
    assert torch.allclose(stats["gradient_share"], (drift / (drift + 0.1)).mean())


def test_it_moves_images_under_a_bare_function_and_leaves_the_start_alone() -> None:
    x = torch.zeros(4, 3, 8, 8)
    moved = run_chain(
        Langevin(step_size=0.5), lambda x: x.square().flatten(1).sum(1), x, steps=2, rng=Rng(0)
    ).x
    assert moved.shape == x.shape
    assert moved.dtype == x.dtype
    assert torch.count_nonzero(x) == 0
    assert torch.count_nonzero(moved) == moved.numel()
