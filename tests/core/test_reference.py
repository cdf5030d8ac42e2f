from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from ebmkit.core import Rng, run_chain
from ebmkit.core.reference import reference_std, unstable_step
from ebmkit_langevin.langevin import Langevin

STD = 0.3


def gaussian(x: torch.Tensor) -> torch.Tensor:
    return x.square().flatten(1).sum(1) / (2 * STD**2)


@pytest.mark.parametrize(
    ("value", "found"),
    [(0.3, 0.3), (2, 2.0), (math.inf, None), (0.0, None), (-1.0, None), ("0.3", None), (math.nan, None)],
)
def test_only_a_positive_finite_number_is_a_reference(value: object, found: float | None) -> None:
    assert reference_std(SimpleNamespace(reference_std=value)) == found


def test_an_energy_without_a_reference_has_no_unstable_step() -> None:
    assert reference_std(gaussian) is None
    assert unstable_step(1e9, gaussian) is None


def test_the_limit_is_where_langevin_dynamics_runs_away() -> None:
    """Just below it a chain from far away comes home; at it and above it never does."""
    energy = SimpleNamespace(reference_std=STD)
    start = torch.full((4, 2), 1e3, dtype=torch.float64)
    for factor, stable in ((1.98, True), (2.0, False), (2.02, False)):
        step = factor * STD
        end = run_chain(Langevin(step_size=step, noise=False), gaussian, start, steps=400, rng=Rng(0)).x
        assert bool((end.abs() < 1).all()) == stable
        assert (unstable_step(step, energy) is None) == stable


def test_the_clause_names_both_numbers() -> None:
    clause = unstable_step(0.7, SimpleNamespace(reference_std=STD))
    assert clause is not None
    assert "step_size = 0.7 is not below 2 s = 0.6" in clause
    assert "reference_std = 0.3" in clause
