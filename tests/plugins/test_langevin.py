"""Langevin dynamics against its exact law on Gaussians.

On E = |x - m|^2 / 2 s^2 one step is x' = m + (1 - a)(x - m) + d e with a = d^2 / 2 s^2, so after l
steps from x0: mean m + (1 - a)^l (x0 - m), variance d^2 (1 - (1 - a)^(2l)) / (1 - (1 - a)^2), which
tends to s^2 / (1 - d^2 / 4 s^2). Chains are independent, so a mean has the standard error sd / sqrt(n)
and a variance v sqrt(2 / n); every threshold is 5 of them, a false alarm of 6e-7 each.
"""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import pytest
import torch

from ebmkit.core import Rng, run_chain, value_and_gradient, walk
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


def test_the_settings_off_are_the_bits_of_before() -> None:
    """x - δ²/2 ∇E + δ √T ε, as it was written before there were others."""
    energy, x = LinearDescriptor(WEIGHT, STD), double(5, 2)
    off = Langevin(step_size=0.2, temperature=0.5, clip=0.0, clamp=None, noise_decay="constant", span=7)
    moved = run_chain(off, energy, x, steps=1, rng=Rng(3)).x
    noise = Rng(3).fold_in("step", 0).normal(x)
    expected = torch.add(x, value_and_gradient(energy, x).gradient, alpha=-(0.2**2) / 2)
    assert torch.equal(moved, expected.add_(noise, alpha=0.2 * math.sqrt(0.5)))


def test_a_clipped_step_keeps_its_direction_and_the_noise() -> None:
    energy, x = LinearDescriptor(WEIGHT, STD), 3 * double(50, 2)
    drift = -(0.4**2) / 2 * value_and_gradient(energy, x).gradient
    longest = float(drift.norm(dim=1).median())
    moved = run_chain(Langevin(step_size=0.4, clip=longest), energy, x, steps=1, rng=Rng(0)).x
    free = run_chain(Langevin(step_size=0.4), energy, x, steps=1, rng=Rng(0)).x
    short = drift * (longest / drift.norm(dim=1, keepdim=True)).clamp(max=1)
    assert torch.allclose(moved - free, short - drift, atol=1e-12)
    assert torch.all(short.norm(dim=1) <= longest * (1 + 1e-12))
    assert 0 < int((short != drift).any(1).sum()) < 50


def test_a_gradient_of_zero_is_not_divided_by() -> None:
    still = run_chain(
        Langevin(noise=False, clip=1.0), lambda x: 0 * x.sum(1), torch.zeros(2, 3), steps=1, rng=Rng(0)
    )
    assert torch.equal(still.x, torch.zeros(2, 3))


def test_states_stay_inside_the_clamp_and_the_start_is_left_alone() -> None:
    energy, x = LinearDescriptor(WEIGHT, STD), 3 * double(50, 2)
    before = x.clone()
    sampler = Langevin(step_size=0.4, clamp=(-0.5, 0.25))
    moved = run_chain(sampler, energy, x, steps=1, rng=Rng(0)).x
    free = run_chain(Langevin(step_size=0.4), energy, x, steps=1, rng=Rng(0)).x
    assert torch.equal(moved, free.clamp(-0.5, 0.25))
    assert torch.equal(x, before)
    with pytest.raises(ValueError, match=r"the lowest, then the highest value, got \[1.0, -1.0\]"):
        Langevin(clamp=(1.0, -1.0))


@pytest.mark.parametrize(
    ("decay", "shares"),
    [("linear", [1, 0.75, 0.5, 0.25, 0]), ("exponential", [0.01 ** (t / 4) for t in range(5)])],
)
def test_the_noise_of_each_step_has_its_share(decay: Any, shares: list[float]) -> None:
    """Without a gradient a chain is the sum of its noise, whose numbers are those of the steps' streams."""
    x = torch.zeros(3, 2, dtype=torch.float64)
    sampler = Langevin(step_size=0.5, temperature=4.0, noise_decay=decay)
    samples = run_chain(sampler, lambda x: 0 * x.sum(1), x, steps=5, rng=Rng(1))
    noise = [Rng(1).fold_in("step", t).normal(x) for t in range(5)]
    expected = sum(share * each for share, each in zip(shares, noise, strict=True))
    assert torch.allclose(samples.x, 0.5 * 2 * torch.as_tensor(expected), atol=1e-6)
    assert float(samples.stats["noise"]) == pytest.approx(sum(shares) / 5)


def test_the_noise_falls_over_the_chain_or_over_the_span_that_is_given() -> None:
    x = torch.zeros(3, 2, dtype=torch.float64)

    def noises(sampler: Langevin, steps: int | None) -> list[float]:
        moves = walk(sampler, lambda x: 0 * x.sum(1), x, rng=Rng(1), steps=steps)
        return [round(float(info["noise"]), 6) for _, info in islice(moves, 4)]

    falling = Langevin(step_size=1.0, noise_decay="linear")
    assert noises(falling, 4) == [1.0, 0.666667, 0.333333, 0.0]
    assert noises(falling, None) == [1.0] * 4
    spanned = Langevin(step_size=1.0, noise_decay="linear", span=3)
    assert noises(spanned, 4) == noises(spanned, None) == [1.0, 0.5, 0.0, 0.0]
    assert noises(falling, 1) == [1.0]
