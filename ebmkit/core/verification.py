"""Comparing every prepared gradient with autograd's during a real run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TypeAlias

__all__ = ["VARIABLE", "Verification", "current_verification", "verifying"]

VARIABLE = "EBMKIT_VERIFY"

Verification: TypeAlias = Literal["off", "first", "always"]
"""``first`` compares each chain's first gradient and last, ``always`` each; a difference ends the run."""

_current: ContextVar[Verification | None] = ContextVar("ebmkit_verification", default=None)

_WORDS: dict[str, Verification] = {"": "off", "0": "off", "off": "off", "first": "first"}


def current_verification() -> Verification:
    """What the run asks for, or else the environment: ``EBMKIT_VERIFY=first``, any other word for always."""
    asked = _current.get()
    return _WORDS.get(os.environ.get(VARIABLE, ""), "always") if asked is None else asked


@contextmanager
def verifying(how: Verification) -> Iterator[None]:
    """Let chains inside this block be compared with autograd; ``off`` leaves it to the environment.

    Examples:
        >>> with verifying("first"):
        ...     current_verification()
        'first'
    """
    token = _current.set(None if how == "off" else how)
    try:
        yield
    finally:
        _current.reset(token)
