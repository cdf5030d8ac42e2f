from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmkit.core import Batch, Chain, Energy, Rng
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_langevin.langevin import Langevin
from tests.plugins.coopnets.linear import batch, one_iteration, parts, revision


class Quartic(Energy):
    """E(x) = a x^4 - b x on the line: no closed form, a numeric Z."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.nn.Parameter(torch.tensor([0.7, 0.4], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.weights[0] * x[:, 0] ** 4 - self.weights[1] * x[:, 0]


def test_the_descriptor_update_is_the_gradient_of_the_exact_log_likelihood() -> None:
    """D2 with exact samples (a fine quantile grid of p) against finite differences of log p on a grid."""
    energy = Quartic()
    grid = torch.linspace(-6, 6, 40_001, dtype=torch.float64)[:, None]
    cell = float(grid[1] - grid[0])
    data = torch.tensor([[0.3], [-0.8], [1.1]], dtype=torch.float64)

    def log_likelihood(weights: Tensor) -> Tensor:
        with torch.no_grad():
            energy.weights.copy_(weights)
            return -energy(data).mean() - torch.logsumexp(-energy(grid), 0) - math.log(cell)

    weights = energy.weights.detach().clone()
    step = 1e-5
    expected = torch.stack(
        [
            (log_likelihood(weights + step * unit) - log_likelihood(weights - step * unit)) / (2 * step)
            for unit in torch.eye(2, dtype=torch.float64)
        ]
    )
    log_likelihood(weights)
    cumulated = torch.softmax(-energy(grid).detach(), 0).cumsum(0)
    count = 20_000
    quantiles = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    samples = grid[torch.searchsorted(cumulated, quantiles).clamp_max(len(grid) - 1)]
    schedule = DescriptorOnly(energy, Chain(Langevin(), 0), (1,), chains=count).double()
    schedule.replay.keep(torch.arange(count), samples)
    one_iteration(schedule, Batch(data, torch.arange(3)))
    assert energy.weights.grad is not None
    assert torch.allclose(-energy.weights.grad, expected, atol=2e-4)


def test_persistent_chains_go_on_where_they_were() -> None:
    energy, _ = parts()
    schedule = DescriptorOnly(energy, revision(), (4,), chains=3, noise_std=2.0).double()
    _, first = one_iteration(schedule, batch(), key=1)
    assert torch.equal(schedule.replay.samples, first.revised)  # type: ignore[arg-type]
    _, second = one_iteration(schedule, batch(), key=2)
    assert torch.equal(second.proposal, first.revised)  # type: ignore[arg-type]
    names = {"energy.weight", "replay.samples", "replay.started", "annealing.done"}
    assert set(schedule.state_dict()) == names
    assert torch.equal(schedule.propose(4, rng=Rng(0)).x, schedule.replay.samples[[0, 1, 2, 0]])


def test_chains_that_do_not_persist_start_anew_from_data_or_noise() -> None:
    energy, _ = parts()
    from_data = DescriptorOnly(energy, revision(), (4,), chains=3, start="data", persistent=False).double()
    for key in (1, 2):
        data = batch(seed=key)
        _, made = one_iteration(from_data, data, key=key)
        assert torch.equal(made.proposal, data.x[:3])  # type: ignore[arg-type]
    from_noise = DescriptorOnly(
        energy, revision(), (4,), chains=9000, persistent=False, noise_std=2.0
    ).double()
    _, first = one_iteration(from_noise, batch(), key=1)
    _, second = one_iteration(from_noise, batch(), key=2)
    assert first.proposal is not None
    assert abs(first.proposal.std() / 2 - 1) < 5 / math.sqrt(2 * 36_000)
    assert not torch.equal(first.proposal, second.proposal)  # type: ignore[arg-type]


def test_before_training_a_descriptor_proposes_noise() -> None:
    energy, _ = parts()
    proposal = DescriptorOnly(energy, revision(), (4,), noise_std=3.0).propose(5000, rng=Rng(0))
    assert proposal.z is None
    assert abs(proposal.x.std() / 3 - 1) < 5 / math.sqrt(2 * 20_000)
