"""Algorithms D and G from Python: an energy of your own learned on a ring, a generator on half of it.

    python examples/compose_in_python.py

No run file and no registry: the same parts, put together by hand. It prints how the mean radius of
the samples approaches the ring's, 2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ebmkit.core import Batch, Chain, Energy, LatentGenerator, Rng
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_coopnets.generator_only import GeneratorOnly
from ebmkit_langevin.langevin import Langevin


class PlaneEnergy(Energy):
    """E(x) = |x|² / 18 - f(x) for points of the plane, f a small network: ``(B, 2) -> (B,)``."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            *(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        """The energy of each point, in nats."""
        return x.square().sum(1) / 18 - self.network(x)[:, 0]


class PlaneGenerator(LatentGenerator):
    """g, a small network that makes a point of the plane of one latent: ``(B, 1) -> (B, 2)``."""

    latent_shape = (1,)
    noise_std = 0.2

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            *(nn.Linear(1, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
        )

    def forward(self, z: Tensor) -> Tensor:
        """The mean of p(x | z)."""
        return self.network(z)


def ring(count: int, rng: Rng, *, share: float = 1.0) -> Batch:
    """Points at distance 2 ± 0.1 from the origin, on a share of the ring."""
    angle = 2 * math.pi * share * rng.fold_in("angle").uniform(torch.empty(count))
    radius = 2 + 0.1 * rng.fold_in("radius").normal(torch.empty(count))
    return Batch(torch.stack([radius * angle.cos(), radius * angle.sin()], 1), torch.arange(count))


def train(iterations: int, *, seed: int = 0) -> DescriptorOnly:
    """Learn the energy against persistent chains; every update is yielded before it is needed."""
    torch.manual_seed(seed)
    energy = PlaneEnergy()
    optimizer = torch.optim.Adam(energy.parameters(), lr=2e-3, betas=(0.5, 0.999))
    chain = Chain(Langevin(step_size=0.1), steps=20)
    schedule = DescriptorOnly(energy, chain, (2,), chains=200)
    for iteration in range(iterations):
        rng = Rng(seed).fold_in("iteration", iteration)
        for update in schedule.updates(ring(200, rng.fold_in("data")), rng=rng):
            optimizer.zero_grad()
            update.loss.backward()
            optimizer.step()
        if iteration % 100 == 99:
            show("energy", iteration, schedule.replay.samples)
    return schedule


def train_generator(iterations: int, *, seed: int = 0) -> GeneratorOnly:
    """Learn the generator: each point keeps latents of its own, which the chain moves to their posterior."""
    torch.manual_seed(seed)
    generator = PlaneGenerator()
    optimizer = torch.optim.Adam(generator.parameters(), lr=5e-3, betas=(0.5, 0.999))
    chain = Chain(Langevin(step_size=0.1), steps=20)
    data = ring(200, Rng(seed).fold_in("data"), share=0.5)
    schedule = GeneratorOnly(generator, chain, examples=len(data.x))
    for iteration in range(iterations):
        rng = Rng(seed).fold_in("iteration", iteration)
        for update in schedule.updates(data, rng=rng):
            optimizer.zero_grad()
            update.loss.backward()
            optimizer.step()
        if iteration % 100 == 99:
            with torch.no_grad():
                show("generator", iteration, schedule.propose(200, rng=rng.fold_in("samples")).x)
    return schedule


def show(what: str, iteration: int, samples: Tensor) -> None:
    """Print where the samples are."""
    radius = samples.norm(dim=1)
    print(f"{what:<9} {iteration + 1:5} radius {radius.mean():.2f} ± {radius.std():.2f}")


if __name__ == "__main__":
    train(1000)
    train_generator(500)
