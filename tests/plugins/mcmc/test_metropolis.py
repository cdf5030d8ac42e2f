from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng
from ebmkit_mcmc.metropolis import Evaluated, accept, adjusted_langevin, choose, evaluate, inner
from tests.models import double


def bent(x: Tensor) -> Tensor:
    """|x|⁴ / 4 + |x|² / 2 + sin(x₀)."""
    squared = x.square().sum(1)
    return squared.square() / 4 + squared / 2 + x[:, 0].sin()


def log_density(there: Tensor, here: Tensor, step: float, temperature: float) -> Tensor:
    """log q(there | here) of a Langevin step, up to a constant."""
    mean = here - step**2 / 2 * evaluate(bent, here).gradient
    return -(there - mean).square().sum(1) / (2 * step**2 * temperature)


@pytest.mark.parametrize("temperature", [1.0, 0.3, 4.0])
def test_the_acceptance_ratio_is_that_of_metropolis_and_hastings(temperature: float) -> None:
    """log π(x') q(x | x') / π(x) q(x' | x), each density written by itself."""
    here, step = evaluate(bent, double(50, 3)), 0.4
    _, _, log_ratio = adjusted_langevin(bent, here, Rng(1), size=step, temperature=temperature)
    noise = Rng(1).normal(here.x)
    there = here.x - step**2 / 2 * here.gradient + step * math.sqrt(temperature) * noise
    target = (here.energy - bent(there)) / temperature
    back, forth = (log_density(*each, step, temperature) for each in ((here.x, there), (there, here.x)))
    assert torch.allclose(log_ratio, target + back - forth, atol=1e-9)


def test_a_chain_that_accepts_is_there_and_one_that_does_not_is_here_with_all_it_knows() -> None:
    here = evaluate(bent, double(200, 3))
    after, accepted, _ = adjusted_langevin(bent, here, Rng(2), size=1.2)
    assert 20 < int(accepted.sum()) < 180
    for now, was in zip(after, here, strict=True):
        assert torch.equal(now[~accepted], was[~accepted])
    assert not (after.x[accepted] == here.x[accepted]).any()
    fresh = evaluate(bent, after.x)
    for kept, exact in zip(after, fresh, strict=True):
        assert torch.equal(kept, exact)


def test_one_step_size_a_chain_or_a_coordinate_is_that_number_for_it() -> None:
    here = evaluate(bent, double(6, 3))
    sizes = torch.linspace(0.1, 0.6, 6, dtype=torch.float64)
    together, _, _ = adjusted_langevin(bent, here, Rng(3), size=sizes[:, None].expand(6, 3))
    for row, size in enumerate(sizes):
        alone, _, _ = adjusted_langevin(bent, here, Rng(3), size=float(size))
        assert torch.allclose(together.x[row], alone.x[row], rtol=1e-12)


def test_it_accepts_with_the_probability_of_the_ratio() -> None:
    """5 standard errors of 40,000 decisions."""
    for log_ratio in (-3.0, -0.5, -0.01):
        p = math.exp(log_ratio)
        share = accept(torch.full((40_000,), log_ratio, dtype=torch.float64), Rng(4)).double().mean()
        assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / 40_000)


def test_uphill_is_always_accepted_and_what_is_no_number_never() -> None:
    ratios = torch.tensor([0.0, 5.0, math.inf, -math.inf, math.nan], dtype=torch.float64).repeat(1000, 1)
    decisions = accept(ratios.flatten(), Rng(5)).view(1000, 5)
    assert decisions.all(0).tolist() == [True, True, True, False, False]
    assert not decisions[:, 3:].any()


def test_states_of_any_shape_are_chosen_row_by_row() -> None:
    for shape in ((), (3,), (2, 4, 4)):
        new, old = (
            Evaluated(double(5, *shape, seed=k), double(5, seed=k), double(5, *shape)) for k in (1, 2)
        )
        accepted = torch.tensor([True, False, True, True, False])
        chosen = choose(accepted, new, old)
        assert type(chosen) is Evaluated
        for each, one, other in zip(chosen, new, old, strict=True):
            assert torch.equal(each[accepted], one[accepted])
            assert torch.equal(each[~accepted], other[~accepted])


def test_inner_products_that_cancel_are_taken_in_float64() -> None:
    a = torch.tensor([[1e8, 1.0, -1e8]])
    assert inner(a, torch.ones(1, 3)).tolist() == [1.0]
    assert inner(torch.ones(2, 3, 4), torch.ones(2, 3, 4)).tolist() == [12.0, 12.0]
