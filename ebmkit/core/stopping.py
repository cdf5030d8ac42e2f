"""Being told to stop in the middle of an iteration: chains ask at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Stopped", "check_stop", "may_stop", "stoppable", "unstoppable"]

_requested: ContextVar[Callable[[], bool] | None] = ContextVar("ebmkit_stop_requested", default=None)


class Stopped(BaseException):
    """An end was asked for. Like ``KeyboardInterrupt`` not an ``Exception``, so that no handler takes it."""


@contextmanager
def stoppable(requested: Callable[[], bool]) -> Iterator[None]:
    """Let ``check_stop`` inside this block raise ``Stopped`` once ``requested()`` is true."""
    token = _requested.set(requested)
    try:
        yield
    finally:
        _requested.reset(token)


@contextmanager
def unstoppable() -> Iterator[None]:
    """Let this block run to its end whatever was requested: it cannot be left half done."""
    token = _requested.set(None)
    try:
        yield
    finally:
        _requested.reset(token)


def may_stop() -> bool:
    """Whether ``check_stop`` may raise here."""
    return _requested.get() is not None


def check_stop() -> None:
    """Raise ``Stopped`` if that was requested; chains call it before every step.

    A sampler whose step has a long loop of its own calls it there, or runs that loop as a chain.

    Raises:
        Stopped: the end was requested.
    """
    requested = _requested.get()
    if requested is not None and requested():
        raise Stopped
