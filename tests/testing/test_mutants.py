"""The kit refuses every deliberately wrong sampler, and none of the right ones they were made from."""

from __future__ import annotations

import pytest

from ebmkit.testing import Outcome, check
from tests.testing.mutants import (
    ADAPTING,
    ADJUSTED,
    EULER,
    HAMILTONIAN,
    INERTIAL,
    MUTANTS,
    STRIDES,
    Adapting,
    Adjusted,
    Euler,
    Hamiltonian,
    Inertial,
    Mutant,
    Strides,
)


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_wrong_sampler_is_refused(mutant: Mutant) -> None:
    (result,) = check(mutant.component, mutant.claims, quick=True, only=[mutant.killer]).results
    assert result.outcome is Outcome.FAILED
    assert result.detail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("component", "claims"),
    [
        (Euler, EULER),
        (Adjusted, ADJUSTED),
        (Hamiltonian, HAMILTONIAN),
        (Inertial, INERTIAL),
        (Strides, STRIDES),
        (Adapting, ADAPTING),
    ],
)
def test_the_right_originals_pass(component: type, claims: object) -> None:
    report = check(component, claims)  # type: ignore[arg-type]
    assert report.passed, report


def test_there_are_more_than_fifty() -> None:
    assert len(MUTANTS) > 50
