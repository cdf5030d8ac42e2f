"""Run the checks of a part one by one, whatever it does."""

from __future__ import annotations

import linecache
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch

from ebmkit.errors import PluginError
from ebmkit.messages.blame import last_outside, place_in
from ebmkit.registry.discovery import imported
from ebmkit.registry.kinds import KINDS
from ebmkit.testing.claims import Claims
from ebmkit.testing.randomness import given_back
from ebmkit.testing.report import CheckFailedError, CheckSkippedError, ContractError, Outcome, Report, Result
from ebmkit.testing.subject import Subject, kind_of

__all__ = ["CHECKS", "CLAIMS", "Check", "check", "claims_of", "run_check"]

Check: TypeAlias = Callable[[Subject[Any]], str]
"""Returns what it measured (or nothing to say); raises CheckFailedError or CheckSkippedError."""

CLAIMS: Mapping[str, type[Claims]] = {name: imported(kind.claims) for name, kind in KINDS.items()}

CHECKS: Mapping[str, Mapping[str, Check]] = {name: imported(kind.checks) for name, kind in KINDS.items()}
"""Kind to the checks of that kind by name; the first line of each one's docstring says what it demands."""


def claims_of(component: Callable[..., Any]) -> Claims:
    """What a part claims by its ``conformance()``; without one, the defaults of its kind.

    A mapping that ``conformance()`` returns is the settings, and claims nothing else.

    Raises:
        PluginError: it is of no kind of part, claims to be another kind, or raised.
    """
    kind = kind_of(component)
    try:
        claims: object = getattr(component, "conformance", dict)()
    except Exception as error:
        raise PluginError(f"{_name(component)}.conformance() {_raised(error, component)}") from error
    if isinstance(claims, Mapping) and kind is not None:
        return CLAIMS[kind](settings=claims)
    if not isinstance(claims, Claims):
        raise PluginError(f"{_name(component)} is not a part: it inherits from none of {', '.join(CLAIMS)}")
    if kind is not None and not isinstance(claims, CLAIMS[kind]):
        raise PluginError(
            f"{_name(component)} is a {kind}, but its conformance() returns {type(claims).__name__} "
            f"instead of {CLAIMS[kind].__name__}"
        )
    return claims


def check(
    component: Callable[..., Any],
    claims: Claims | None = None,
    *,
    quick: bool = False,
    seed: int = 0,
    only: Collection[str] = (),
    progress: Callable[[Result], None] = lambda _: None,
) -> Report:
    """Run every check of a part.

    Args:
        component: its class, or any callable that takes its keyword parameters.
        claims: what it claims; by default what its ``conformance()`` returns.
        quick: fewer chains and steps: seconds instead of a minute, and blind to smaller errors.
        seed: of the statistics. A right sampler fails for at most one seed in 100,000.
        only: names of the checks to run; all by default.
        progress: called with each result as it comes.

    Raises:
        PluginError: the component is no part, or a name of a check does not exist.
    """
    claims = claims if claims is not None else claims_of(component)
    subject = Subject(component, claims, quick, seed)
    checks = CHECKS[claims.kind]
    _refuse_unknown(claims.kind, [*only, *claims.expected_failures])
    results: list[Result] = []
    for name in checks:
        if only and name not in only:
            continue
        broken = next((each for each in results if each.last), None)
        results.append(_not_run(name, broken) if broken else run_check(subject, name))
        progress(results[-1])
    return Report(_name(component), claims.kind, seed, tuple(results))


def run_check(subject: Subject[Any], name: str) -> Result:
    """One check of one part; whatever the part raises is a failure, not an error."""
    begin = time.perf_counter()
    cause, last = "", False
    try:
        with _contained(), subject.furnished() as furnished:
            outcome, detail = Outcome.PASSED, CHECKS[subject.claims.kind][name](furnished)
    except CheckSkippedError as skipped:
        outcome, detail = Outcome.SKIPPED, str(skipped)
    except CheckFailedError as failed:
        outcome, detail, last = Outcome.FAILED, str(failed), isinstance(failed, ContractError)
    except Exception as error:  # noqa: BLE001 - the part may raise anything
        outcome, detail = Outcome.FAILED, _raised(error, subject.component)
        cause = f"{type(error).__name__}{_place(error, subject.component)}"
    reason = subject.claims.expected_failures.get(name)
    if reason is not None and outcome is Outcome.FAILED:
        outcome, detail = Outcome.EXPECTED_FAILURE, f"{reason} ({detail})"
    elif reason is not None and outcome is Outcome.PASSED:
        outcome = Outcome.UNEXPECTED_PASS
        detail = f"expected to fail ({reason}), but it passes: remove it from expected_failures"
    return Result(name, outcome, detail, time.perf_counter() - begin, cause, last)


def _not_run(name: str, broken: Result) -> Result:
    return Result(name, Outcome.SKIPPED, f"not run: {broken.check} has to pass first", 0.0)


@contextmanager
def _contained() -> Iterator[None]:
    """What a wrong part does to global switches, generators and the current folder ends with its check."""
    gradients, dtype, here = torch.is_grad_enabled(), torch.get_default_dtype(), Path.cwd()
    try:
        with given_back():
            yield
    finally:
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)
        os.chdir(here)


def _refuse_unknown(kind: str, names: Collection[str]) -> None:
    for name in names:
        if name not in CHECKS[kind]:
            raise PluginError(f"no check of a {kind} is named {name!r}; they are {', '.join(CHECKS[kind])}")


def _raised(error: Exception, component: Callable[..., Any]) -> str:
    """What was raised and where, with what was noted about it on the way."""
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    return f"raised {type(error).__name__}: {error}{_place(error, component)}{notes}"


def _place(error: Exception, component: Callable[..., Any]) -> str:
    """The last line of the part's own that it came through, or else the last one outside torch."""
    place = place_in(error, component) or last_outside(error, "torch")
    if not place:
        return ""
    line = linecache.getline(place.file, place.line).strip()
    return f" at {place}" + (f"\n  {line}" if line else "")


def _name(component: Callable[..., Any]) -> str:
    return getattr(component, "__name__", type(component).__name__)
