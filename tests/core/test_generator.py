from __future__ import annotations

import math

import torch
from torch.autograd.functional import hessian

from ebmkit.core import Rng, run_chain, value_and_gradient
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearGenerator, double


def generator(noise_std: float = 0.6) -> LinearGenerator:
    return LinearGenerator(double(4, 2), double(4, seed=1), noise_std)


def test_the_posterior_of_a_linear_generator_is_that_of_factor_analysis() -> None:
    linear = generator()
    x = double(3, 4, seed=2)
    mean, covariance = linear.posterior_law(x)
    posterior = linear.posterior(x)
    assert torch.allclose(value_and_gradient(posterior, mean).gradient, torch.zeros_like(mean), atol=1e-12)
    one = linear.posterior(x[:1])
    curvature = hessian(lambda z: one(z[None])[0], mean[0].detach())  # type: ignore[no-untyped-call]
    assert torch.allclose(curvature.inverse(), covariance)


def test_its_energy_differences_are_those_of_the_log_densities() -> None:
    linear = generator()
    x, z = double(3, 4, seed=2), double(3, 2, seed=3)
    mean, covariance = linear.posterior_law(x)
    law = torch.distributions.MultivariateNormal(mean, covariance)
    constant = linear.posterior(x)(z) + law.log_prob(z)
    assert torch.allclose(constant, linear.posterior(x)(mean) + law.log_prob(mean))


def test_langevin_inference_samples_it_with_the_known_bias() -> None:
    linear = generator()
    chains, step_size = 20_000, 0.25
    x = double(1, 4, seed=2).expand(chains, 4)
    mean, covariance = linear.posterior_law(x[:1])
    sampler = Langevin(step_size=step_size)
    z = run_chain(sampler, linear.posterior(x), torch.zeros(chains, 2).double(), steps=100, rng=Rng(3)).x
    precision = covariance.inverse()
    # z' = m + (I - (d^2/2) P)(z - m) + d e: stationary covariance (P (I - (d^2/4) P))^-1.
    biased = (precision - step_size**2 / 4 * precision @ precision).inverse()
    # 5 standard errors of a mean and of a (co)variance of independent chains: each 6e-7.
    assert torch.all((z.mean(0) - mean[0]).abs() < 5 * (biased.diagonal() / chains).sqrt())
    scale = (biased.square() + biased.diagonal().outer(biased.diagonal())).sqrt() / math.sqrt(chains)
    assert torch.all((torch.cov(z.T) - biased).abs() < 5 * scale)
    assert torch.any((biased - covariance).abs() > 5 * scale), "the bias itself must be visible"


def test_hidden_pixels_do_not_speak() -> None:
    linear = generator()
    x, z = double(3, 4, seed=2), double(3, 2, seed=3)
    mask = torch.tensor([1.0, 0.0, 1.0, 1.0]).double()
    other = x.clone()
    other[:, 1] += 100
    assert torch.equal(linear.posterior(x, mask=mask)(z), linear.posterior(other, mask=mask)(z))
    visible = LinearGenerator(linear.matrix[[0, 2, 3]], linear.bias[[0, 2, 3]], linear.noise_std)
    assert torch.allclose(linear.posterior(x, mask=mask)(z), visible.posterior(x[:, [0, 2, 3]])(z))


def test_the_prior_is_standard_normal_in_the_latents_shape() -> None:
    z = generator().prior(50_000, rng=Rng(1))
    assert z.shape == (50_000, 2)
    assert z.dtype == torch.float64
    assert torch.all(z.mean(0).abs() < 5 / math.sqrt(50_000))
    assert torch.all((z.var(0) - 1).abs() < 5 * math.sqrt(2 / 50_000))
