from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence

from ebmkit.core import Encoder, Gaussian, Rng
from tests.models import LinearGenerator, double


class LinearEncoder(Encoder):
    """The exact posterior of a linear generator with orthogonal columns, whose covariance is diagonal."""

    def __init__(self, generator: LinearGenerator) -> None:
        super().__init__()
        self.generator = generator
        self.log_std = nn.Parameter(torch.zeros(generator.latent_shape).double())

    def forward(self, x: Tensor) -> Gaussian:
        mean, covariance = self.generator.posterior_law(x)
        return Gaussian(mean, (covariance.diagonal().log() / 2 + self.log_std).expand_as(mean))


def law() -> Gaussian:
    return Gaussian(double(5, 3), 0.5 * double(5, 3, seed=1))


def test_its_log_density_and_divergence_are_those_of_torch() -> None:
    z = double(5, 3, seed=2)
    for q in (law(), Gaussian(double(5, 1, 2, 2), double(5, 1, 2, 2, seed=1))):
        z = double(*q.mean.shape, seed=2)
        normal = Independent(Normal(q.mean, q.log_std.exp()), q.mean.ndim - 1)
        prior = Independent(Normal(torch.zeros_like(q.mean), 1.0), q.mean.ndim - 1)
        assert q.log_prob(z).shape == q.kl().shape == (5,)
        assert torch.allclose(q.log_prob(z), normal.log_prob(z))
        assert torch.allclose(q.kl(), kl_divergence(normal, prior))


def test_the_divergence_of_the_prior_is_nothing_and_keeps_its_digits_near_it() -> None:
    zero = torch.zeros(2, 4)
    assert torch.equal(Gaussian(zero, zero).kl(), torch.zeros(2))
    # KL = s^2 + O(s^3) for log std s: s^2 - 1 - 2 log s in float32 would give 0 or 1.2e-7.
    near = Gaussian(torch.zeros(1, 1), torch.full((1, 1), 1e-4)).kl()
    assert torch.allclose(near, torch.tensor([1e-8]), rtol=2e-3, atol=0)


def test_samples_have_the_law_that_their_density_says() -> None:
    count = 50_000
    q = Gaussian(torch.tensor([[1.0, -2.0]]).expand(count, 2), torch.tensor([[-1.0, 0.5]]).expand(count, 2))
    z = q.sample(rng=Rng(4))
    std = q.log_std[0].exp()
    assert torch.all((z.mean(0) - q.mean[0]).abs() < 5 * std / math.sqrt(count))
    assert torch.all((z.std(0) / std - 1).abs() < 5 / math.sqrt(2 * count))
    # E log q = -entropy = -sum(log s + (1 + log 2 pi) / 2); its variance is d / 2.
    entropy = q.log_std[0].sum() + 1 + math.log(2 * math.pi)
    assert abs(q.log_prob(z).mean() + entropy) < 5 / math.sqrt(count)


def test_samples_carry_the_gradient_of_the_reparametrisation() -> None:
    mean, log_std = (each.requires_grad_() for each in law())
    noise = Rng(1).normal(mean)
    Gaussian(mean, log_std).sample(rng=Rng(1)).square().sum().backward()  # type: ignore[no-untyped-call]
    z = mean + log_std.exp() * noise
    assert mean.grad is not None
    assert log_std.grad is not None
    assert torch.allclose(mean.grad, 2 * z)
    assert torch.allclose(log_std.grad, 2 * z * noise * log_std.exp())


def test_rows_are_drawn_by_the_chain_they_belong_to() -> None:
    q = law()
    lower = Gaussian(q.mean[2:], q.log_std[2:])
    assert torch.equal(lower.sample(rng=Rng(3, first_chain=2)), q.sample(rng=Rng(3))[2:])


def test_the_evidence_bound_of_the_exact_encoder_is_the_evidence() -> None:
    """log p(x) = log p(x | z) - log q(z | x) + log p(z) for every z, and less on average for any other q."""
    sigma = 0.6
    matrix = torch.linalg.qr(double(4, 2)).Q @ torch.diag(torch.tensor([2.0, 0.7]).double())
    generator = LinearGenerator(matrix, double(4, seed=1), sigma)
    encoder = LinearEncoder(generator)
    x = double(3, 4, seed=2)
    covariance = matrix @ matrix.T + sigma**2 * torch.eye(4).double()
    evidence = torch.distributions.MultivariateNormal(generator.bias, covariance).log_prob(x)

    def bound(q: Gaussian, z: Tensor) -> Tensor:
        normaliser = 4 * math.log(sigma) + 6 * math.log(2 * math.pi) / 2
        return -generator.posterior(x)(z) - normaliser - q.log_prob(z)

    q = encoder(x)
    for seed in range(3):
        assert torch.allclose(bound(q, q.sample(rng=Rng(seed))), evidence)
    with torch.no_grad():
        encoder.log_std.fill_(0.3)
    wider = encoder(x)
    bounds = torch.stack([bound(wider, wider.sample(rng=Rng(seed))) for seed in range(400)])
    assert torch.all(bounds.mean(0) < evidence - 0.1)


def test_it_is_shown_on_one_line() -> None:
    assert repr(law()) == "Gaussian(mean=(5, 3) float64, log_std=(5, 3) float64)"
