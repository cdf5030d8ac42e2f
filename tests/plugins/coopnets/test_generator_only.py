from __future__ import annotations

from typing import Literal

import pytest
import torch

from ebmkit.core import Batch, Chain, Rng
from ebmkit_convnets.generator import ConvGenerator
from ebmkit_coopnets.generator_only import GeneratorOnly
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearGenerator, double
from tests.plugins.coopnets.linear import one_iteration, parts


def test_only_the_latents_of_the_batch_move() -> None:
    _, generator = parts()
    schedule = GeneratorOnly(generator, Chain(Langevin(step_size=0.1), 3), 10).double()
    one_iteration(schedule, Batch(double(10, 4), torch.arange(10)), key=1)
    before = schedule.latents.clone()
    chosen = torch.tensor([7, 2])
    _, made = one_iteration(schedule, Batch(double(2, 4), chosen), key=2)
    others = [k for k in range(10) if k not in (2, 7)]
    assert torch.equal(schedule.latents[others], before[others])
    assert torch.equal(schedule.latents[chosen], made.latents)  # type: ignore[arg-type]
    assert not torch.equal(schedule.latents[chosen], before[chosen])
    assert set(schedule.state_dict()) == {"latents", "started", "generator.matrix", "generator.bias"}


def test_generator_only_reaches_probabilistic_pca() -> None:
    """Algorithm G on a linear generator with known sigma: maximum likelihood is Tipping and Bishop's (1999).

    The optimum has A A^T = sum_k (l_k - sigma^2) u_k u_k^T over the largest eigenvalues l_k of the data
    covariance. Learning with persistent Langevin chains is stochastic, so the comparison is of the
    averaged A A^T, within 6 % of its norm; the untrained one is 100 % away.
    """
    sigma, count = 0.5, 400
    mixing = torch.tensor([[2.0, 0.0], [0.0, 1.2], [1.0, -0.6]], dtype=torch.float64)
    data = double(count, 2, seed=1) @ mixing.T + sigma * double(count, 3, seed=2)
    values, vectors = torch.linalg.eigh(torch.cov(data.T, correction=0))
    top = vectors[:, 1:]
    optimum = top @ torch.diag(values[1:] - sigma**2) @ top.T
    generator = LinearGenerator(0.1 * double(3, 2, seed=3), torch.zeros(3).double(), sigma)
    schedule = GeneratorOnly(generator, Chain(Langevin(step_size=0.08), 20), count).double()
    optimizer = torch.optim.SGD(generator.parameters(), 0.04)
    everything = Batch(data, torch.arange(count))
    products = []
    for iteration in range(350):
        for update in schedule.updates(everything, rng=Rng(0).fold_in(iteration)):
            optimizer.zero_grad()
            update.loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        products.append(generator.matrix.detach() @ generator.matrix.detach().T)
    learned = torch.stack(products[150:]).mean(0)
    assert (products[0] - optimum).norm() / optimum.norm() > 0.9
    assert (learned - optimum).norm() / optimum.norm() < 0.06
    assert (generator.bias - data.mean(0)).norm() < 0.1


@pytest.mark.parametrize("hidden", ["square", "speckle"])
def test_hidden_pixels_are_never_looked_at(hidden: Literal["square", "speckle"]) -> None:
    data = Batch(double(3, 1, 8, 8).float(), torch.arange(3))
    losses, latents = [], []
    for value in (0.0, 100.0):
        torch.manual_seed(0)
        generator = ConvGenerator((1, 8, 8), latents=2, channels=(4,), norm="none")
        inference = Chain(Langevin(step_size=0.05), 3)
        schedule = GeneratorOnly(generator, inference, 3, (1, 8, 8), hidden=hidden, hidden_size=4)
        one_iteration(schedule, data)  # draws the masks
        assert schedule.masks is not None
        shown = torch.where(schedule.masks > 0, data.x, torch.tensor(value))
        updates, made = one_iteration(schedule, Batch(shown, data.positions), key=1)
        losses.append(updates[0].loss.detach())
        latents.append(made.latents)
    assert torch.equal(*losses)
    assert torch.equal(*latents)
