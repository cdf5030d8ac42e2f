"""Deliberately wrong parts of the kinds whose faults no law shows: the kit has to refuse each of them.

Each module writes one right part of its kind; a wrong one overrides what its author got wrong. The wrong
samplers are in ``tests.testing.mutants``, energies, generators, schedules and sources in
``tests.testing.test_energies`` and the files beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ebmkit.testing.claims import Claims

__all__ = ["WRONG", "WrongPart", "wrong"]


class WrongPart(NamedTuple):
    """A wrong part.

    Attributes:
        component: its class.
        claims: what its right original claims.
        killer: a check that must fail.
    """

    component: type
    claims: Claims
    killer: str


WRONG: dict[str, WrongPart] = {}
"""By the kind and the name of the class: ``encoder/Squeezes``."""


def wrong(claims: Claims, killer: str) -> Callable[[type], Any]:
    """Put a class among the wrong parts."""

    def register(component: type) -> type:
        WRONG[f"{claims.kind}/{component.__name__}"] = WrongPart(component, claims, killer)
        return component

    return register
