from __future__ import annotations

import math
from itertools import islice

import torch
from torch import Tensor

from ebmkit.core import Rng, run_chain, walk
from ebmkit_mcmc.descent import Descent
from tests.models import double


def test_descent_never_climbs_and_ends_where_the_gradient_does() -> None:
    def bumpy(x: Tensor) -> Tensor:
        return (x.square() / 2 + 3 * (4 * x).cos()).sum(1)

    states = list(islice(walk(Descent(step_size=3.0), bumpy, 3 * double(200, 2), rng=Rng(8)), 200))
    energies = torch.stack([state.energy for state, _ in states])  # type: ignore[attr-defined]
    assert torch.all(energies[1:] <= energies[:-1])
    assert states[0][1]["descended"].mean() < 1
    assert states[-1][1]["slope"].max() < 1e-6


def test_descent_finds_the_image_that_the_descriptor_reproduces() -> None:
    """x = s² ∇f(x) at a local mode: with f linear that is s² w in one step of δ²/2 = s²."""
    w, s = double(1, 1, 3, 3), 0.3
    energy = lambda x: (x.square() / (2 * s**2) - w * x).flatten(1).sum(1)  # noqa: E731
    descent = Descent(step_size=math.sqrt(2) * s)
    x = run_chain(descent, energy, double(4, 1, 3, 3, seed=1), steps=1, rng=Rng(0)).x
    assert torch.allclose(x, (s**2 * w).expand_as(x))


def test_a_step_that_would_climb_is_not_taken_and_the_next_is_half_as_long() -> None:
    """On N(0, I) a step is x to (1 - δ²/2) x: -3.5 x at δ = 3, and -x/8 at 1.5."""
    x = double(5, 2)
    (first, refused), (second, taken) = islice(
        walk(Descent(step_size=3.0), lambda x: x.square().sum(1) / 2, x, rng=Rng(0)), 2
    )
    assert torch.equal(first.x, x)
    assert first.size.tolist() == second.size.tolist() == [1.5] * 5  # type: ignore[attr-defined]
    assert torch.allclose(second.x, -x / 8)
    assert (refused["descended"].sum(), taken["descended"].sum()) == (0, 5)
