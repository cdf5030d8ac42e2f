"""What the paper proves or argues, on models small enough to integrate numerically.

Section numbers are those of Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408. On the line the Langevin
kernel is a matrix: row i is N(x_i - delta^2/2 E'(x_i), delta^2), its mean taken from ebmkit's own
sampler with the noise left out.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from ebmkit.core import Batch, Chain, Energy, EnergyFn, Rng, run_chain, value_and_gradient
from ebmkit.training.loop import Experiment, Learner, train
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_langevin.langevin import Langevin
from ebmkit_optim.adam import Adam
from tests.models import LinearDescriptor, LinearGenerator, double

GRID = torch.linspace(-3.5, 3.5, 281, dtype=torch.float64)[:, None]
STEP = 0.1


class Quartic(Energy):
    """E(x) = w . (x, x^2, x^3, x^4) on the line."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.tensor(weights, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x**2, x**3, x**4], 1) @ self.weights


def kernel(energy: EnergyFn) -> Tensor:
    """One Langevin step as a matrix on the grid, ``(from, to)``."""
    mean = run_chain(Langevin(step_size=STEP, noise=False), energy, GRID, steps=1, rng=Rng(0)).x
    return torch.softmax(-((GRID.T - mean) ** 2) / (2 * STEP**2), 1)


def law(energy: EnergyFn) -> Tensor:
    return torch.softmax(-energy(GRID).detach(), 0)


def normal(mean: float, std: float) -> Tensor:
    return torch.softmax(-((GRID[:, 0] - mean) ** 2) / (2 * std**2), 0)


def divergence(p: Tensor, q: Tensor) -> float:
    return float(torch.where(p > 0, p * (p.clamp_min(1e-300) / q).log(), torch.zeros_like(p)).sum())


@pytest.mark.parametrize("start", [normal(-1.5, 0.2), normal(1.0, 1.0), normal(2.0, 0.05)])
def test_the_revision_brings_the_generator_closer_with_every_step(start: Tensor) -> None:
    """The second law: KL(M P_G || P_D) falls, until what is left is the bias of the finite step."""
    energy = Quartic(0.3, -1.0, 0.1, 0.6)
    move, target = kernel(energy), law(energy)
    stationary = torch.linalg.matrix_power(move, 4096)[140]
    bias = divergence(stationary, target)
    divergences = [divergence(start, target)]
    p = start
    for _ in range(1500):
        p = p @ move
        divergences.append(divergence(p, target))
    # Within the bias of the target itself the order may turn; it is under 0.1 % of the way here.
    assert bias < 1e-3 * divergences[0]
    falling = [value for value in divergences if value > 2 * bias]
    assert len(falling) > 100
    assert all(later < earlier for earlier, later in pairwise(falling))
    assert divergences[-1] < 0.05 * divergences[0]


@pytest.mark.slow
def test_cooperative_learning_is_less_biased_than_contrastive_divergence() -> None:
    """With a generator that can follow (P_G <- M P_G), the fixed point is nearer to maximum likelihood.

    Expectations are exact sums over the grid. The data are two Gaussians, which no quartic is, so
    that contrastive divergence, which starts its two steps at the data, has a bias to show.
    """
    data = 0.7 * normal(-0.9, 0.35) + 0.3 * normal(0.8, 0.5)
    features = torch.cat([GRID, GRID**2, GRID**3, GRID**4], 1)
    results = {}
    for method in ("maximum likelihood", "cooperative", "contrastive divergence"):
        energy = Quartic(0.0, 0.5, 0.0, 0.1)
        optimizer = torch.optim.Adam(energy.parameters(), lr=5e-3)
        generated = normal(0.0, 1.0)
        for _ in range(3000):
            move = kernel(energy)
            start = {"maximum likelihood": law(energy), "cooperative": generated}.get(method, data)
            revised = start if method == "maximum likelihood" else start @ move @ move
            generated = revised
            energy.weights.grad = (data - revised) @ features  # D2
            optimizer.step()
        results[method] = divergence(data, law(energy))
    best = results["maximum likelihood"]
    assert results["cooperative"] - best < 0.2 * (results["contrastive divergence"] - best)


@pytest.mark.slow
def test_with_the_descriptor_frozen_the_generator_converges_to_it() -> None:
    """A linear generator with rigorous inference: mean and covariance become those of the revised law."""
    weight, std, sigma, step = torch.tensor([1.0, -2.0]).double(), 0.5, 0.2, 0.3
    energy = LinearDescriptor(weight, std)
    generator = LinearGenerator(0.1 * double(2, 2), double(2, seed=1), sigma)
    inference = Chain(Langevin(step_size=0.2), 60)
    schedule = CoopNets(energy, generator, Chain(Langevin(step_size=step), 5), inference, proposal_noise=True)
    frozen = torch.optim.SGD(energy.parameters(), 0.0)
    optimizer = torch.optim.Adam(generator.parameters(), 1e-2, betas=(0.5, 0.999))
    batch = Batch(torch.zeros(500, 2).double(), torch.arange(500))
    for iteration in range(500):
        for update in schedule.updates(batch, rng=Rng(2).fold_in(iteration)):
            chosen = frozen if update.part == "energy" else optimizer
            chosen.zero_grad()
            update.loss.backward()  # type: ignore[no-untyped-call]
            chosen.step()
    variance = std**2 / (1 - step**2 / (4 * std**2))  # of the revision's own stationary law
    covariance = (generator.matrix @ generator.matrix.T + sigma**2 * torch.eye(2)).detach()
    # 500 chains an iteration: a mean has standard error 0.02, a variance 6 %; Adam averages over some.
    assert torch.allclose(generator.bias.detach(), std**2 * weight, atol=0.08)
    assert torch.allclose(covariance, variance * torch.eye(2).double(), atol=0.25 * variance)


@pytest.mark.parametrize("scale", [0.5, 8.0])
def test_scaling_pixels_and_s_and_step_and_weights_together_changes_no_bit(scale: float) -> None:
    """Pixel-range equivariance: images in 0..255 and in [-1, 1] are one recipe; powers of 2 are exact."""
    shape, arguments = (1, 12, 12), {"channels": (4, 3), "kernels": (4, 3), "strides": (2, 1)}
    torch.manual_seed(0)
    energy = ConvDescriptor(shape, reference_std=0.25, **arguments)  # type: ignore[arg-type]
    scaled = ConvDescriptor(shape, reference_std=0.25 * scale, **arguments)  # type: ignore[arg-type]
    scaled.load_state_dict(energy.state_dict())
    with torch.no_grad():
        scaled.features[0].weight /= scale  # type: ignore[operator]
    x = double(3, *shape).float()
    chain = run_chain(Langevin(step_size=0.0625), energy, x, steps=20, rng=Rng(1)).x
    other = run_chain(Langevin(step_size=0.0625 * scale), scaled, scale * x, steps=20, rng=Rng(1)).x
    assert torch.equal(other, scale * chain)


def test_modes_are_auto_encoded() -> None:
    """Where the gradient vanishes, Y = s^2 df/dY: the descriptor decodes what it encodes."""
    torch.manual_seed(0)
    std = 0.5
    energy = ConvDescriptor((1, 12, 12), channels=(8, 8), kernels=(4, 3), strides=(2, 1), reference_std=std)
    with torch.no_grad():
        for position, parameter in enumerate(energy.parameters()):
            # Positive weights above the first layer make f convex: no mode sits on a kink of it.
            parameter.mul_(8) if position < 2 else parameter.mul_(8).abs_()
    x = double(4, 1, 12, 12).float()

    def residual(y: Tensor) -> Tensor:
        decoded = std**2 * -value_and_gradient(lambda z: -energy.score(z), y).gradient
        return (y - decoded).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)

    start = residual(x)
    modes = run_chain(Langevin(step_size=0.3, noise=False), energy, x, steps=600, rng=Rng(0)).x
    assert start.min() > 0.5
    assert residual(modes).max() < 1e-3
    # The paper's map itself: one step with delta^2 / 2 = s^2 reproduces a mode.
    mapped = run_chain(
        Langevin(step_size=math.sqrt(2) * std, noise=False), energy, modes, steps=1, rng=Rng(0)
    ).x
    assert torch.allclose(mapped, modes, atol=2e-3)


@pytest.mark.parametrize(("slope", "sigma", "spread"), [(0.5, 0.3, 1.0), (1.5, 0.5, 0.4), (0.2, 1.0, 2.0)])
def test_the_data_prior_is_nearer_to_the_prior_than_the_data_to_the_generator(
    slope: float, sigma: float, spread: float
) -> None:
    """KL(p_data(z) || N(0, 1)) <= KL(P_data || P_G), with p_data(z) the posteriors averaged over data."""
    generator = LinearGenerator(torch.tensor([[slope]]).double(), torch.zeros(1).double(), sigma)
    data = 0.6 * normal(-0.8, 0.3 * spread) + 0.4 * normal(0.7, 0.5 * spread)
    points = GRID.shape[0]
    energies = generator.posterior(GRID.repeat_interleave(points, 0))(GRID.repeat(points, 1)).detach()
    posteriors = torch.softmax(-energies.view(points, points), 1)  # a row for each x
    latents = data @ posteriors
    marginal = normal(0.0, math.sqrt(slope**2 + sigma**2))
    prior, explained = divergence(latents, normal(0.0, 1.0)), divergence(data, marginal)
    assert 0 < prior < explained


@pytest.mark.parametrize("seed", [0, 1])
def test_more_generator_updates_catch_up_more(seed: int) -> None:
    def ratio(updates: int) -> float:
        energy = LinearDescriptor(double(6), 0.5)
        generator = LinearGenerator(double(6, 3, seed=seed), double(6, seed=1), 0.3)
        schedule = CoopNets(
            energy, generator, Chain(Langevin(step_size=0.2, noise=False), 5), generator_updates=updates
        )
        frozen = Learner(energy, Adam(lr=1e-9))
        learners = {"energy": frozen, "generator": Learner(generator, Adam(lr=2e-2))}
        batches = [Batch(double(32, 6, seed=2), torch.arange(32))] * 20
        experiment = Experiment(schedule, learners, batches, Rng(seed))  # type: ignore[arg-type]
        return sum(report.metrics()["catch_up"] for report in train(experiment, iterations=20))

    ratios = [ratio(updates) for updates in (1, 4, 16)]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 0.8 * ratios[0]
