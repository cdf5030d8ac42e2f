"""In which arithmetic chains and updates are computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TypeAlias

__all__ = ["Precision", "computing_in", "current_precision"]

Precision: TypeAlias = Literal["fp32", "mixed", "bf16"]
"""``fp32`` is exact to rounding; see the page on speed for what the other two change.

``mixed`` takes only the gradients of chains through bfloat16 (the forward pass, and with it every sign
of a ReLU, stays float32); ``bf16`` also their forward pass, and that of the updates. States, weights,
losses and optimizers are float32 in all three.
"""

_current: ContextVar[Precision] = ContextVar("ebmkit_precision", default="fp32")


def current_precision() -> Precision:
    """The precision that holds where this is called."""
    return _current.get()


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Let chains inside this block compute in ``precision``.

    Examples:
        >>> with computing_in("mixed"):
        ...     current_precision()
        'mixed'
    """
    token = _current.set(precision)
    try:
        yield
    finally:
        _current.reset(token)
