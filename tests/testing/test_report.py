"""What a report tells, and what it puts together."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebmkit.testing import CHECKS, check
from tests.conftest import Ebmkit
from tests.testing.mutants import ADJUSTED, MUTANTS, AcceptsAlways, Adjusted
from tests.testing.test_kit import RETURNS

COMPARISONS = ("independent-rows", "batch-split", "same-seed", "callables", "resume", "stops")
"""Checks that compare the bits of chains."""


def test_a_report_names_the_checks_that_failed() -> None:
    report = check(AcceptsAlways, ADJUSTED, quick=True, only=["law-funnel", "resume"])
    assert not report.passed
    assert [each.check for each in report.failures] == ["law-funnel"]
    assert "law-funnel: failed: 30 steps after exact draws" in str(report)


@pytest.mark.parametrize(
    ("mutant", "root", "said"),
    [
        ("GlobalGenerator", "global-random", "the chain moved the global generator of torch"),
        ("InPlace", "input-unchanged", "the start of the chain was modified in place"),
    ],
)
def test_differing_bits_stand_under_the_mistake_that_makes_them(mutant: str, root: str, said: str) -> None:
    wrong = MUTANTS[mutant]
    report = check(wrong.component, wrong.claims, quick=True, only=[*COMPARISONS, root])
    others = [each.check for each in report.failures if each.check != root]
    assert others
    told = [(each.check, text) for each, text in report.told() if each.bad]
    assert told == [(root, f"{said}\nfollows from it, probably: {', '.join(others)}")]


def test_comparisons_that_fail_by_themselves_are_told_by_themselves() -> None:
    wrong = MUTANTS["ClipsByTheBatch"]
    report = check(wrong.component, wrong.claims, quick=True, only=[*COMPARISONS, "global-random"])
    assert "independent-rows" in {each.check for each, _ in report.told() if each.bad}
    assert "follows from it" not in repr(report)


LAWS = tuple(name for name in CHECKS["sampler"] if name.startswith("law-"))


@pytest.mark.parametrize("mutant", ["ForgetsTheProposalDensity", "NoiseTimesRootTwo", "HalfForgotten"])
def test_a_wrong_step_is_advised_where_every_law_fails_and_nothing_else(mutant: str) -> None:
    wrong = MUTANTS[mutant]
    report = check(wrong.component, wrong.claims, quick=True, only=[*LAWS, *COMPARISONS])
    assert "the acceptance ratio" in report.advice


@pytest.mark.parametrize("mutant", ["SharedNoise", "TemperatureIgnored", "ClipsByTheBatch"])
def test_other_mistakes_are_not_taken_for_a_wrong_step(mutant: str) -> None:
    wrong = MUTANTS[mutant]
    report = check(wrong.component, wrong.claims, quick=True, only=[*LAWS, *COMPARISONS])
    assert not report.passed
    assert not report.advice


def test_a_right_sampler_is_not_advised() -> None:
    assert not check(Adjusted, ADJUSTED, quick=True, only=LAWS).advice


def test_nothing_is_said_of_a_law_where_nothing_ran(tmp_path: Path, ebmkit: Ebmkit) -> None:
    (tmp_path / "odd.py").write_text(RETURNS.replace("RETURNED", "state"))
    assert ebmkit("plugins", "check", "odd.py", "--quick").out.endswith("odd.py fails 1 of 1 checks\n")
