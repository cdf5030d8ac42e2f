from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Batch, Chain, Energy, Info, Rng, Sampler, State, denoised
from ebmkit_coopnets.score_matching import ScoreMatching
from ebmkit_mcmc.annealed import Annealed
from tests.models import LinearDescriptor, double
from tests.plugins.coopnets.linear import STD, batch, one_iteration, parts, revision


class Scaled(Energy):
    """E(x) = p |x|²/2, of one weight."""

    def __init__(self, precision: float) -> None:
        super().__init__()
        self.precision = nn.Parameter(torch.tensor(precision, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.precision / 2 * x.square().sum(1)


def matching(energy: Energy | None = None, **options: Any) -> ScoreMatching:
    return ScoreMatching(energy or parts()[0], revision(), (4,), **options).double()


def test_an_iteration_shows_the_data_with_noise_and_what_the_energy_makes_of_it() -> None:
    schedule, data = matching(noise_std=0.2), batch()
    (update,), made = one_iteration(schedule, data)
    assert made.observed is data.x
    assert made.proposal is not None
    noise = Rng(0).fold_in("noise").normal(data.x)
    assert torch.equal(made.proposal, data.x + torch.full((5, 1), 0.2, dtype=torch.float64) * noise)
    assert torch.allclose(made.revised, denoised(schedule.energy, made.proposal, noise_std=0.2))  # type: ignore[arg-type]
    assert torch.allclose(update.stats["denoising_error"], (made.revised - data.x).square().mean().sqrt())
    assert float(update.stats["noise"]) == pytest.approx(0.2)


def test_a_linear_energy_learns_the_mean_of_the_data_in_one_step_on_the_exact_gradient() -> None:
    """E = |x|²/2s² - <w, x>: with σ = s it denoises to s² w, and the loss is |s² w - x|²/2s²."""
    energy = LinearDescriptor(double(4), STD)
    schedule, data = matching(energy, noise_std=STD), batch()
    (update,), _ = one_iteration(schedule, data)
    assert update.loss is not None
    assert torch.allclose(
        update.loss.detach(), (STD**2 * energy.weight - data.x).square().sum(1).mean() / (2 * STD**2)
    )
    assert energy.weight.grad is not None
    with torch.no_grad():
        energy.weight.sub_(energy.weight.grad / STD**2)
    assert torch.allclose(STD**2 * energy.weight, data.x.mean(0))


def test_an_energy_of_one_weight_learns_the_precision_of_the_blurred_data() -> None:
    """Within four standard errors of what the average over the last 100 iterations may give."""
    energy, spread, noise = Scaled(1.0), 0.7, 0.4
    schedule = matching(energy, noise_std=noise)
    averaged = []
    for key in range(200):
        energy.zero_grad()
        data = Batch(spread * double(500, 4, seed=key), torch.arange(500))
        one_iteration(schedule, data, key)
        with torch.no_grad():
            energy.precision.sub_(0.5 * energy.precision.grad)  # type: ignore[arg-type]
        averaged.append(float(energy.precision.detach()))
    exact = 1 / (spread**2 + noise**2)
    # Of n numbers the estimate Σ ε x̃ / σ Σ x̃² has a variance of about (1 - p σ²) (1 + p σ²) / n σ² (s² + σ²).
    numbers = 100 * 500 * 4
    error = ((1 + (exact * noise**2) ** 2) / (numbers * noise**2 * (spread**2 + noise**2))) ** 0.5
    assert sum(averaged[100:]) / 100 == pytest.approx(exact, abs=4 * error + 1e-3)


def test_levels_are_uniform_between_the_least_and_the_most() -> None:
    schedule = matching(noise_std=0.1, noise_high=0.9)
    levels = schedule._levels(double(20_000, 4), rng=Rng(3))
    assert 0.1 <= float(levels.min()) < 0.101
    assert 0.899 < float(levels.max()) <= 0.9
    shares = torch.histc(levels, 8, 0.1, 0.9) / len(levels)
    assert (shares - 1 / 8).abs().max() < 5 * (1 / 8 * 7 / 8 / len(levels)) ** 0.5


def test_each_part_of_a_batch_gets_the_noise_that_it_has_in_the_whole() -> None:
    schedule, data = matching(noise_high=0.8), batch(6)
    _, whole = one_iteration(schedule, data)
    part = Batch(data.x[4:], data.positions[4:])
    iterator = schedule.updates(part, rng=Rng(0).of_chain(4))
    next(iterator)
    with pytest.raises(StopIteration) as end:
        next(iterator)
    assert torch.equal(end.value.value.proposal, whole.proposal[4:])  # type: ignore[index]


def test_samples_are_moved_from_noise_and_denoised() -> None:
    chain, ended = matching(denoise=False, start_std=0.6), matching(start_std=0.6)
    moved, made = chain.sample(3, rng=Rng(5)), ended.sample(3, rng=Rng(5))
    assert torch.equal(moved.proposal, 0.6 * Rng(5).fold_in("start").normal(moved.proposal))  # type: ignore[arg-type]
    assert torch.equal(moved.proposal, made.proposal)  # type: ignore[arg-type]
    assert torch.equal(denoised(ended.energy, moved.revised, noise_std=0.1), made.revised)  # type: ignore[arg-type]


def test_a_highest_level_below_the_least_is_refused() -> None:
    with pytest.raises(ValueError, match=r"noise_high must be 0 or at least noise_std = 0\.5, got 0\.1"):
        matching(noise_std=0.5, noise_high=0.1)


def test_where_nothing_is_known_an_example_is_denoised() -> None:
    schedule, x = matching(), double(3, 4)
    completed = schedule.complete(x, torch.zeros(4), rng=Rng(0))
    assert torch.equal(completed, denoised(schedule.energy, x, noise_std=0.1))


def test_completion_keeps_every_known_bit_and_gives_the_conditional_mean_of_gaussian_data() -> None:
    """Its mean within five standard errors of 1,000 hidden numbers.

    E is exact for data N(0, C) blurred by σ. Given the known number the hidden one is normal, its mean
    linear in that number; what denoising makes of both is linear, too.
    """
    noise, count = 0.4, 1_000
    blurred = torch.tensor([[1.0, 0.8], [0.8, 1.0]]).double() + noise**2 * torch.eye(2)
    precision = blurred.inverse()

    class Exact(Energy):
        def forward(self, x: Tensor) -> Tensor:
            return torch.einsum("bi,ij,bj->b", x, precision, x) / 2

    chain = Chain(Annealed(step_size=0.2, temperature_start=9.0, anneal_steps=50), 200)
    schedule = ScoreMatching(Exact(), chain, (2,), noise_std=noise)
    known = torch.tensor([0.9, 0.0]).double().expand(count, 2)
    completed = schedule.complete(known, torch.tensor([1.0, 0.0]).double(), rng=Rng(1))
    assert torch.equal(completed[:, 0], known[:, 0])
    hidden = completed[:, 1]
    denoise = torch.eye(2) - noise**2 * precision
    regression = -precision[0, 1] / precision[1, 1]
    mean = 0.9 * (denoise[1, 0] + denoise[1, 1] * regression)
    assert abs(float(hidden.mean() - mean)) < 5 * float(hidden.std()) / count**0.5


class Cooling(Sampler):
    """Moves nothing, tells its temperatures 16, 4, 1, and looks at what it is shown."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def step(self, energy: Any, state: Any, rng: Rng) -> tuple[State, Info]:
        self.seen.append(energy.energy.complete(state.x)[:, 0])
        return state, {"temperature": torch.tensor(4.0 ** (3 - len(self.seen)))}


def test_what_is_known_is_shown_with_as_much_noise_as_the_chain_had_one_step_before() -> None:
    """σ √T, within five standard errors of 2,000 numbers; before the first step as much as there can be."""
    count, sampler = 2_000, Cooling()
    schedule = ScoreMatching(parts()[0], Chain(sampler, 4), (4,), noise_std=0.3, noise_high=1.8)
    known = torch.full((count, 4), 0.9, dtype=torch.float64)
    schedule.complete(known, torch.tensor([1.0, 0.0, 0.0, 0.0]).double(), rng=Rng(1))
    for seen, level in zip(sampler.seen, (1.8, 1.2, 0.6, 0.3), strict=True):
        assert abs(float(seen.std()) / level - 1) < 5 / (2 * count) ** 0.5
        assert abs(float(seen.mean()) - 0.9) < 5 * level / count**0.5
