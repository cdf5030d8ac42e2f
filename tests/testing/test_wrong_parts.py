"""The kit refuses every deliberately wrong part of the newer kinds, and none of the right ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ebmkit.registry.kinds import KINDS
from ebmkit.testing import CHECKS, Outcome, check
from ebmkit.testing.claims import Claims
from tests.testing.kill_table import row_of
from tests.testing.refusing import checked
from tests.testing.wrong import WRONG, WrongPart, backends, encoders, features, metrics, optimizers, trackers

RIGHT = {
    "encoder": (encoders.Straight, encoders.CLAIMS),
    "optimizer": (optimizers.Momentum, optimizers.CLAIMS),
    "backend": (backends.Reads, backends.CLAIMS),
    "metric": (metrics.Brightness, metrics.CLAIMS),
    "features": (features.Waves, features.CLAIMS),
    "tracker": (trackers.Lines, trackers.CLAIMS),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_part_is_refused(wrong: WrongPart) -> None:
    result = checked(*wrong)
    assert result.outcome is Outcome.FAILED
    assert result.detail


@pytest.mark.parametrize("kind", RIGHT)
def test_their_right_original_passes_and_every_check_looks(kind: str) -> None:
    component, claims = RIGHT[kind]
    report = check(component, claims)
    assert report.passed, report
    assert {each.outcome for each in report.results} == {Outcome.PASSED}


@pytest.mark.parametrize("kind", RIGHT)
def test_every_check_refuses_a_wrong_part(kind: str) -> None:
    """A check that nothing fails might as well not be there."""
    killers = Counter(each.killer for name, each in WRONG.items() if name.startswith(f"{kind}/"))
    assert set(killers) == set(CHECKS[kind])
    assert killers.total() >= 12


def test_every_kind_has_its_wrong_parts() -> None:
    elsewhere = {"sampler", "energy", "generator", "scheduler", "source"}  # in files of their own
    assert {name.partition("/")[0] for name in WRONG} | elsewhere == set(KINDS)


@pytest.mark.parametrize("name", WRONG)
def test_the_docs_say_which_checks_refuse_it(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs/conformance.md").read_text()
    wrong = WRONG[name]
    assert row_of(name, wrong.component, wrong.claims)[0] in page.splitlines()


def test_the_docs_say_how_many_there_are() -> None:
    pages = (
        ("docs/conformance.md", f"{len(WRONG)} of {len(WRONG)} are refused"),
        ("README.md", f"and {len(WRONG)} wrong parts of other kinds"),
    )
    for page, said in pages:
        assert said in " ".join((Path(__file__).parents[2] / page).read_text().split())


def test_the_claims_are_of_the_kind_that_is_named() -> None:
    assert all(isinstance(each.claims, Claims) for each in WRONG.values())
    assert all(name.partition("/")[0] == each.claims.kind for name, each in WRONG.items())
