"""Chains compared with the law that is claimed: what is skipped, what is judged, and at which rate."""

from __future__ import annotations

import attrs
import pytest

from ebmkit.testing import Outcome, SamplerClaims, check
from tests.testing.mutants import (
    ADAPTING,
    Adapting,
    Adjusted,
)


def test_without_a_law_the_statistics_are_skipped_and_say_so() -> None:
    (result,) = check(Adjusted, SamplerClaims(), quick=True, only=["law-gaussian"]).results
    assert result.outcome is Outcome.SKIPPED
    assert "no law is claimed" in result.detail


def test_the_laws_share_one_false_alarm_rate() -> None:
    from ebmkit.testing import battery, comparison, laws

    assert len(laws.CHECKS) == comparison.LAWS
    assert comparison.share_of_one() * len(laws.CHECKS) == pytest.approx(battery.FALSE_ALARM)


def test_an_adaptation_is_kept_where_positions_are_drawn_anew() -> None:
    forgotten = attrs.evolve(ADAPTING, adapted=("tunning",))
    (right,) = check(Adapting, ADAPTING, quick=True, only=["law-banana"]).results
    (wrong,) = check(Adapting, forgotten, quick=True, only=["law-banana"]).results
    assert right.outcome is Outcome.PASSED
    assert (wrong.outcome, "'tunning'" in wrong.detail) == (Outcome.FAILED, True)
