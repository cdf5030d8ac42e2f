"""Algorithm D from Python: an energy of your own, learned on a ring in the plane.

    python examples/compose_in_python.py

No run file and no registry: the same parts, put together by hand. It prints how the mean radius of
the chains approaches the ring's, 2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ebmkit.core import Batch, Chain, Energy, Rng
from ebmkit_coopnets.descriptor import DescriptorOnly
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


def ring(count: int, rng: Rng) -> Batch:
    """Points at distance 2 ± 0.1 from the origin."""
    angle = 2 * math.pi * rng.fold("angle").uniform(torch.empty(count))
    radius = 2 + 0.1 * rng.fold("radius").normal(torch.empty(count))
    return Batch(torch.stack([radius * angle.cos(), radius * angle.sin()], 1), torch.arange(count))


def train(iterations: int, *, seed: int = 0) -> DescriptorOnly:
    """Learn the energy against persistent chains; every update is yielded before it is needed."""
    torch.manual_seed(seed)
    energy = PlaneEnergy()
    optimizer = torch.optim.Adam(energy.parameters(), lr=2e-3, betas=(0.5, 0.999))
    chain = Chain(Langevin(step_size=0.1), steps=20)
    schedule = DescriptorOnly(energy, chain, (2,), chains=200)
    for iteration in range(iterations):
        rng = Rng(seed).fold("iteration", iteration)
        for update in schedule.updates(ring(200, rng.fold("data")), rng=rng):
            optimizer.zero_grad()
            update.loss.backward()
            optimizer.step()
        if iteration % 100 == 99:
            radius = schedule.samples.norm(dim=1)
            print(f"{iteration + 1:5} radius {radius.mean():.2f} ± {radius.std():.2f}")
    return schedule


if __name__ == "__main__":
    train(1000)
