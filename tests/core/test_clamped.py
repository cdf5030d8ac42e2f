from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core import Clamped, Rng, run_chain, value_and_gradient
from ebmkit_langevin.langevin import Langevin
from tests.models import double

PRECISION = torch.tensor([[2.0, 0.8, 0.0], [0.8, 1.5, -0.4], [0.0, -0.4, 1.0]], dtype=torch.float64)
MASK = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)


def gaussian(x: Tensor) -> Tensor:
    return torch.einsum("bi,ij,bj->b", x, PRECISION, x) / 2


def test_observed_pixels_never_change_by_a_bit_and_feel_no_gradient() -> None:
    observed = double(5, 3)
    energy = Clamped(gaussian, observed, MASK)
    y = run_chain(Langevin(step_size=0.3), energy, observed, steps=50, rng=Rng(0)).x
    completed = energy.complete(y)
    assert torch.equal(completed[:, [0, 2]], observed[:, [0, 2]])
    assert not torch.isclose(completed[:, 1], observed[:, 1]).any()
    assert torch.equal(value_and_gradient(energy, y).gradient[:, [0, 2]], torch.zeros(5, 2).double())


def test_it_samples_the_conditional_of_the_joint() -> None:
    """Of a Gaussian: mean -(P01 x0 + P12 x2) / P11, variance 1 / P11, with Langevin's known bias."""
    chains, step = 20_000, 0.3
    observed = torch.tensor([[1.0, 0.0, -2.0]], dtype=torch.float64).expand(chains, 3)
    energy = Clamped(gaussian, observed, MASK)
    y = run_chain(Langevin(step_size=step), energy, observed, steps=120, rng=Rng(3)).x[:, 1]
    mean = -(0.8 * 1.0 - 0.4 * -2.0) / 1.5
    variance = (1 / 1.5) / (1 - step**2 * 1.5 / 4)
    # Five standard errors each: a false alarm in 1 of 870,000 seeds.
    assert abs(y.mean() - mean) < 5 * (variance / chains) ** 0.5
    assert abs(y.var() - variance) < 5 * variance * (2 / chains) ** 0.5


def test_conditionals_of_different_masks_belong_to_one_joint() -> None:
    """On a 2-D grid, p(a | b) p(b) = p(b | a) p(a), each conditional from Clamped's own energies."""
    grid = torch.linspace(-4, 4, 81, dtype=torch.float64)
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    points = torch.stack([a.flatten(), b.flatten()], 1)

    def energy(x: Tensor) -> Tensor:
        return (x[:, 0] ** 2 - 1) ** 2 / 2 + (x[:, 1] - x[:, 0]).square() + x[:, 1].sin()

    joint = torch.softmax(-energy(points), 0).view(81, 81)
    for mask, dimension in (([0.0, 1.0], 0), ([1.0, 0.0], 1)):
        clamped = Clamped(energy, points, torch.tensor(mask, dtype=torch.float64))
        conditional = torch.softmax(-clamped(points).view(81, 81), dimension)
        assert torch.allclose(conditional * joint.sum(dimension, keepdim=True), joint, atol=1e-12)
