"""Where the time of an iteration goes, by the stages of the algorithm."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

__all__ = ["stage", "timed_stages"]

_seconds: ContextVar[dict[str, float] | None] = ContextVar("ebmkit_stage_seconds", default=None)


def _now() -> float:
    # A GPU works behind the host's back: without waiting, the time would fall on a later stage.
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
    return time.perf_counter()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Add the time of this block to stage ``name`` where stages are timed; free otherwise."""
    seconds = _seconds.get()
    if seconds is None:
        yield
        return
    begin = _now()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + _now() - begin


@contextmanager
def timed_stages() -> Iterator[dict[str, float]]:
    """Collect seconds by stage name inside this block."""
    seconds: dict[str, float] = {}
    token = _seconds.set(seconds)
    try:
        yield seconds
    finally:
        _seconds.reset(token)
