"""The most memory that some work takes at a time, as torch's own allocator counts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile

__all__ = ["peak_bytes"]


def peak_bytes(work: Callable[[], Any]) -> int:
    """How far the bytes of tensors rise at most while it runs, what it returns included."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        kept = work()
    del kept
    assert recorded.profiler is not None
    living, most = 0, 0
    for event in recorded.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            living += event.nbytes()
            most = max(most, living)
    return most
