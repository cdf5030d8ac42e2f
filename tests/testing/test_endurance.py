"""How long a sampler is looked at: stops, walls, memory and cost."""

from __future__ import annotations

from ebmkit.testing import Outcome, check
from tests.testing.mutants import (
    STRIDES,
    Strides,
)


def test_a_step_that_is_a_chain_of_its_own_is_stopped_inside() -> None:
    (result,) = check(Strides, STRIDES, only=["stops"]).results
    assert (result.outcome, result.detail) == (Outcome.PASSED, "0 more evaluations at most")
