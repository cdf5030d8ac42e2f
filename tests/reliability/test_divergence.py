"""The sweep of ``divergence``, as a test of a few seeds."""

from __future__ import annotations

import pytest

from tests.reliability.divergence import WAYS, outcomes


@pytest.mark.slow
def test_rollbacks_that_ease_bring_diverging_runs_to_a_healthy_end() -> None:
    off, eased = (list(outcomes(WAYS[way], seeds=5)) for way in ("guard off", "rollbacks that ease"))
    assert sum(each.healthy for each in eased) > sum(each.healthy for each in off)
    assert sum(each.rollbacks for each in eased) > sum(each.rollbacks for each in off) == 0
