"""How long a sampler is looked at: stops, walls, memory and cost."""

from __future__ import annotations

import pytest

from ebmkit.testing import Outcome, SamplerClaims, check
from ebmkit_langevin.langevin import Langevin
from tests.testing.mutants import (
    ADJUSTED,
    EULER,
    MUTANTS,
    STRIDES,
    Adjusted,
    Euler,
    Strides,
)


def test_a_step_that_is_a_chain_of_its_own_is_stopped_inside() -> None:
    (result,) = check(Strides, STRIDES, only=["stops"]).results
    assert (result.outcome, result.detail) == (Outcome.PASSED, "0 more evaluations at most")


@pytest.mark.parametrize(
    ("component", "claims", "said"),
    [
        (Adjusted, ADJUSTED, "refused"),  # an acceptance ratio that is no number accepts nothing
        (Euler, EULER, "chains became NaN"),
        (MUTANTS["HidesNaN"].component, EULER, "go on at finite positions whose energy is NaN"),
    ],
)
def test_what_chains_do_at_a_wall_is_said(component: type, claims: SamplerClaims, said: str) -> None:
    (result,) = check(component, claims, only=["nan-energy"]).results
    assert result.detail.endswith(said)


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        (1, "1 evaluation, "),
        (2, "a step evaluates the energy 1 times, 2 are claimed"),
        (None, "1 evaluation, "),
    ],
)
def test_evaluations_are_counted_and_held_against_the_claim(claimed: int | None, said: str) -> None:
    claims = SamplerClaims(gradients=None if claimed is None else lambda _: claimed)
    (result,) = check(Langevin, claims, quick=True, only=["cost"]).results
    assert result.detail.startswith(said)
    assert result.bad is (claimed == 2)
