"""How the checks of a kind are held to refuse wrong parts of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest

from ebmkit.testing import CHECKS, Outcome, check
from ebmkit.testing.report import Result

Wrong: TypeAlias = Sequence[tuple[type, Any, str]]
"""Components with the claims of their right originals, and a check that must fail."""


def each_of(wrong: Wrong) -> pytest.MarkDecorator:
    """A test for each, of ``component``, ``claims`` and ``killer``."""
    names = [f"{component.__name__}-{killer}" for component, _, killer in wrong]
    return pytest.mark.parametrize(("component", "claims", "killer"), wrong, ids=names)


def checked(component: type, claims: Any, name: str) -> Result:
    """What one check finds."""
    (result,) = check(component, claims, only=[name]).results
    return result


def assert_refused(component: type, claims: Any, killer: str) -> None:
    """The check fails."""
    result = checked(component, claims, killer)
    assert result.outcome is Outcome.FAILED, result


def assert_all_look(wrong: Wrong, kind: str) -> None:
    """Every check of the kind refuses one: a check that nothing fails might as well not be there."""
    assert {killer for _, _, killer in wrong} == {*CHECKS[kind]}
