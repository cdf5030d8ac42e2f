from __future__ import annotations

import torch

from ebmkit.applications.recovery import (
    Method,
    blend,
    explained,
    hidden_errors,
    infer_and_generate,
    learned_methods,
    recover,
)
from ebmkit.core import Chain, Rng, square_masks
from ebmkit_coopnets.generator_only import GeneratorOnly
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearGenerator, double


def test_inference_from_observed_pixels_finds_the_regression_of_a_linear_generator() -> None:
    """With z ~ N(0, I) and x = A z + b + noise, the mode of z given some pixels is a linear regression."""
    matrix, bias, sigma = double(6, 2, seed=1), double(6, seed=2), 0.3
    generator = LinearGenerator(matrix, bias, sigma)
    x = double(5, 6, seed=3)
    mask = torch.tensor([1.0, 1.0, 0.0, 1.0, 0.0, 1.0]).double()
    chain = Chain(Langevin(step_size=0.1, noise=False), 600)
    recovered = infer_and_generate(generator, mask * x, mask, chain=chain, rng=Rng(0))
    seen = mask > 0
    a = matrix[seen]
    z = (x[:, seen] - bias[seen]) @ a @ (a.T @ a + sigma**2 * torch.eye(2)).inverse()
    assert torch.allclose(recovered, z @ matrix.T + bias, atol=1e-8)


def test_errors_are_over_hidden_pixels_alone() -> None:
    x = double(3, 2, 8, 8)
    mask = square_masks(3, (2, 8, 8), size=4, rng=Rng(0)).double()
    wrong_outside = torch.where(mask > 0, x + 50, x + 0.25)
    l1, l2 = hidden_errors(x, wrong_outside, mask)
    assert torch.allclose(l1, torch.full_like(l1, 0.25))
    assert torch.allclose(l2, torch.full_like(l2, 0.25))


def test_every_method_gets_the_same_squares_and_no_hidden_pixel() -> None:
    x = double(6, 1, 8, 8).float()
    seen = {}

    def method(name: str) -> Method:
        def fill(shown: torch.Tensor, mask: torch.Tensor, rng: Rng) -> torch.Tensor:
            seen[name] = (shown.clone(), mask.clone())
            return torch.full_like(shown, 7.0)

        return fill

    results = list(recover({"a": method("a"), "b": method("b")}, x, mask_size=3, rng=Rng(1)))
    assert torch.equal(seen["a"][1], seen["b"][1])
    shown, mask = seen["a"]
    assert torch.equal(shown[mask == 0], torch.zeros(6 * 9))
    score, filled = results[0]
    assert torch.equal(filled, torch.where(mask > 0, x, torch.tensor(7.0)))
    errors, _ = hidden_errors(x, filled, mask)
    assert score.l1 == float(errors.mean())
    assert score.l1_error == float(errors.std()) / 6**0.5
    assert score.images == 6


def test_restarts_average_to_the_posterior_mean_of_a_linear_generator() -> None:
    matrix, bias, sigma, step = double(6, 2, seed=1), double(6, seed=2), 0.5, 0.2
    generator = LinearGenerator(matrix, bias, sigma)
    x, mask = double(4, 6, seed=3), torch.ones(6).double()
    chain = Chain(Langevin(step_size=step), 80)
    recovered = infer_and_generate(generator, x, mask, chain=chain, rng=Rng(0), restarts=100)
    mean, covariance = generator.posterior_law(x)
    # The standard error of the mean of 100 draws; a step's bias widens the variance by under 10 %.
    spread = (matrix @ covariance @ matrix.T).diagonal().sqrt().max().detach()
    assert torch.allclose(recovered, (mean @ matrix.T + bias).detach(), atol=float(5 * 1.1 * spread / 10))


def test_blending_removes_a_constant_and_a_ramp() -> None:
    row, column = torch.meshgrid(torch.linspace(0, 1, 12), torch.linspace(0, 1, 12), indexing="ij")
    x, mask = double(2, 1, 12, 12), torch.ones(2, 1, 12, 12).double()
    mask[..., 3:8, 4:10] = 0
    shifted = x + 0.3 + 2 * row - column
    assert torch.allclose(blend(shifted, x, mask), x, atol=1e-6)


class _Pictures(LinearGenerator):
    """A linear generator of 8x8 pictures."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return super().forward(z).reshape(-1, 1, 8, 8)


def test_hidden_pixels_are_explained_by_the_others_and_these_keep_every_bit() -> None:
    generator, rng = _Pictures(double(64, 2, seed=1), double(64, seed=2), 0.3), Rng(0)
    x, mask = generator(double(3, 2, seed=3)).detach(), torch.ones(3, 1, 8, 8).double()
    mask[..., 2:6, 3:7] = 0
    hidden = torch.where(mask > 0, x, torch.tensor(1e6).double())
    descent = Chain(Langevin(step_size=0.05, noise=False), 400)
    found = explained(generator, hidden, mask, inference=descent, rng=rng)
    assert torch.equal(found[mask > 0], x[mask > 0])
    assert torch.allclose(found, x, atol=0.02)  # the prior draws z towards 0 by σ² / |A|², a five-hundredth
    twice = explained(generator, x[:1].expand(2, 1, 8, 8), mask[:2], inference=Chain(Langevin(), 3), rng=rng)
    assert not torch.equal(twice[0], twice[1])  # each by latents of its own


def test_what_builds_on_the_generator_asks_it_once_and_never_for_other_images() -> None:
    calls = []
    generator = LinearGenerator(double(4, 2), double(4, seed=1), 0.3)
    generator.register_forward_hook(lambda *_: calls.append(1))
    schedule = GeneratorOnly(generator, Chain(Langevin(), 1), 3)
    methods = learned_methods(schedule, inference=Chain(Langevin(step_size=0.1), 0))
    x, other, mask = double(3, 4), double(3, 4, seed=5), torch.ones(4).double()
    first = methods["generator"](x, mask, Rng(0))
    assert methods["generator"](x, mask, Rng(0)) is first
    assert len(calls) == 1
    methods["generator"](other, mask, Rng(0))
    methods["generator"](other, mask, Rng(1))
    assert len(calls) == 3
