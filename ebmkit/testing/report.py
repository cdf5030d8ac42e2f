"""What the checks found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import attrs

__all__ = ["CheckFailedError", "CheckSkippedError", "ContractError", "Outcome", "Report", "Result", "noted"]


_ROOTS = ("input-unchanged", "global-random")
"""Checks whose failure makes bits differ wherever chains are compared bit for bit."""

_COMPARE_BITS = frozenset(
    ("independent-rows", "batch-split", "same-seed", "other-seed", "callables", "resume", "stops")
)


_LAWS = frozenset(
    f"law-{name}"
    for name in (
        "gaussian",
        "correlated-gaussian",
        "scalar",
        "log-exponential",
        "mixture",
        "banana",
        "funnel",
    )
)
"""Checks of the law of the chains, wherever it has a closed form."""


class CheckFailedError(AssertionError):
    """A part broke a rule; the message says which, with the values seen."""


class ContractError(CheckFailedError):
    """A part broke a rule that every other check stands on: they would only fail of the same."""


class CheckSkippedError(Exception):
    """A check does not apply; the message says why."""


@contextmanager
def noted(note: str) -> Iterator[None]:
    """Add a note to what a part raises in this block."""
    try:
        yield
    except CheckFailedError:  # says what it has to say
        raise
    except Exception as error:
        error.add_note(note)
        raise


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
        cause: of a failure by an exception, its type and its place: checks that share it share one mistake.
        last: whether no other check can tell anything after this one.
    """

    check: str
    outcome: Outcome
    detail: str
    seconds: float
    cause: str = ""
    last: bool = False

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

    @property
    def advice(self) -> str:
        """Where to look first, of a sampler that fails every law and nothing else; else nothing.

        A sampler that takes the wrong step is caught by all laws alike, whatever their shape.
        """
        laws = [each for each in self.results if each.check in _LAWS and each.outcome is not Outcome.SKIPPED]
        failed = {each.check for each in self.failures}
        if not laws or failed != {each.check for each in laws} or any(each.cause for each in laws):
            return ""
        return (
            "Every law fails, and nothing else does. Look first at the factors of gradient and noise and at "
            "the acceptance ratio: a proposal that is not symmetric needs its density there, both ways."
        )

    def told(self) -> Iterator[tuple[Result, str]]:
        """Each result with its detail; those that fail or are skipped for one and the same reason as one.

        Chains that draw from a global generator, or overwrite their own state, differ wherever they are
        compared: those comparisons stand under the check that names the mistake.
        """
        root, following = self._root()
        groups: dict[object, list[Result]] = {}
        for result in self.results:
            if result in following:
                continue
            reason = result.detail if result.outcome is Outcome.SKIPPED else result.cause
            groups.setdefault((result.outcome, reason) if reason else result.check, []).append(result)
        for first, *others in groups.values():
            likewise = f"\nlikewise: {', '.join(each.check for each in others)}" if others else ""
            follows = f"\nfollows from it, probably: {', '.join(each.check for each in following)}"
            yield first, first.detail + likewise + (follows if first is root and following else "")

    def _root(self) -> tuple[Result | None, tuple[Result, ...]]:
        """A failure that makes others likely, and those of them that there are."""
        told = (each for each in self.results if each.outcome is Outcome.FAILED and not each.cause)
        failed = {each.check: each for each in told}
        root = next((failed[name] for name in _ROOTS if name in failed), None)
        if root is None:
            return None, ()
        return root, tuple(each for name, each in failed.items() if name in _COMPARE_BITS)

    def __repr__(self) -> str:
        verdict = "passes" if self.passed else f"fails {len(self.failures)} of {len(self.results)} checks"
        lines = [f"{result.check}: {result.outcome}: {said}" for result, said in self.told() if result.bad]
        return "\n".join([f"{self.kind} {self.component} {verdict}", *lines]).replace("\n", "\n  ")
