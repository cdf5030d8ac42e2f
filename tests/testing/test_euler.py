from __future__ import annotations

import pytest
import torch

from ebmkit.core import Rng, run_chain
from ebmkit.testing import SamplerClaims, check
from ebmkit.testing.euler import Euler
from ebmkit_langevin.langevin import Langevin
from tests.models import double


@pytest.mark.parametrize("step_size", [0.5, 0.8])
def test_without_noise_a_standard_normal_shrinks_by_its_factor_a_step(step_size: float) -> None:
    """∇E(x) = x: after k steps (1 - δ²/2)ᵏ of the start is left."""
    x = double(6, 3)
    sampler = Euler(step_size=step_size, noise=False)
    end = run_chain(sampler, lambda x: x.square().sum(1) / 2, x, steps=5, rng=Rng(0)).x
    assert torch.allclose(end, (1 - step_size**2 / 2) ** 5 * x, rtol=1e-12)


def test_on_a_flat_energy_it_is_a_random_walk_of_its_step_size() -> None:
    """5 standard errors of 40,000 positions after 4 steps, whose variance is 4 δ²."""
    end = run_chain(
        Euler(step_size=0.5), lambda x: 0 * x.sum(1), double(40_000, 1) * 0, steps=4, rng=Rng(1)
    ).x
    assert abs(float(end.mean())) < 5 / 200
    assert abs(float(end.var()) - 1) < 5 * (2 / 40_000) ** 0.5


def test_it_is_the_langevin_dynamics_that_steps_are_timed_against() -> None:
    """The same positions as those of the sampler that run files name."""
    x, rng = double(6, 3), Rng(2)
    ends = [
        run_chain(sampler, lambda x: x.cos().sum(1), x, steps=6, rng=rng).x
        for sampler in (Euler(step_size=0.3), Langevin(step_size=0.3))
    ]
    assert torch.allclose(*ends, rtol=1e-12)


def test_it_is_right_by_every_rule_of_the_kit() -> None:
    cheap = ("parameters", "shape-and-dtype", "input-unchanged", "same-seed", "resume", "stops")
    report = check(Euler, SamplerClaims(), quick=True, only=cheap)
    assert report.passed, report
