"""What the checks found."""

from __future__ import annotations

from enum import StrEnum

import attrs

__all__ = ["CheckFailedError", "CheckSkippedError", "Outcome", "Report", "Result"]


class CheckFailedError(AssertionError):
    """A part broke a rule; the message says which, with the values seen."""


class CheckSkippedError(Exception):
    """A check does not apply; the message says why."""


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    EXPECTED_FAILURE = "expected failure"
    UNEXPECTED_PASS = "unexpected pass"  # noqa: S105 - not a password


@attrs.frozen
class Result:
    """One check of one part.

    Attributes:
        check: its name, as ``expected_failures`` has it.
        outcome: how it ended.
        detail: what was measured, or what is wrong, or why it was skipped.
        seconds: how long it took.
    """

    check: str
    outcome: Outcome
    detail: str
    seconds: float

    @property
    def bad(self) -> bool:
        """Whether this makes the report fail: a failure, or an expected failure that passed."""
        return self.outcome in (Outcome.FAILED, Outcome.UNEXPECTED_PASS)


@attrs.frozen(repr=False)
class Report:
    """Every check of one part, in the order they ran.

    Attributes:
        component: the name of what was checked.
        kind: sampler, energy, generator, scheduler or source.
        seed: of the statistics.
        results: one for each check.
    """

    component: str
    kind: str
    seed: int
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed and no expected failure passed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results that make the report fail."""
        return tuple(result for result in self.results if result.bad)

    def __repr__(self) -> str:
        verdict = "passes" if self.passed else f"fails {len(self.failures)} of {len(self.results)} checks"
        lines = [f"{result.check}: {result.outcome}: {result.detail}" for result in self.failures]
        return "\n  ".join([f"{self.kind} {self.component} {verdict}", *lines])
