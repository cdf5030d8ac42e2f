"""The part under test, and how it is built."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar

import attrs

from ebmkit.parameters.signature import lineage_of
from ebmkit.registry.kinds import KINDS
from ebmkit.testing.claims import Claims

__all__ = ["Subject", "kind_of"]

ClaimsT = TypeVar("ClaimsT", bound=Claims)


def kind_of(component: Any) -> str | None:
    """Which kind of part a class is, by what it inherits from; None where it is none."""
    if not isinstance(component, type):
        return None
    line = lineage_of(component)
    return next((kind.name for kind in KINDS.values() if kind.base in line), None)


@attrs.frozen
class Subject(Generic[ClaimsT]):
    """A part, what it claims, and how thoroughly it is looked at.

    Attributes:
        component: its class, or any callable that takes its keyword parameters.
        claims: what it claims.
        quick: fewer chains and steps.
        seed: of the statistics; another one draws other chains.
    """

    component: Callable[..., Any]
    claims: ClaimsT
    quick: bool = False
    seed: int = 0

    def make(self, *parts: Any, **changes: Any) -> Any:
        """A new instance with the claimed settings, and ``changes`` over them."""
        return self.component(*parts, **{**self.claims.settings, **changes})

    @contextmanager
    def furnished(self) -> Iterator[Subject[ClaimsT]]:
        """The subject with the files that its claims write, and settings that name them, inside the block.

        Settings that name something else win.
        """
        if self.claims.files is None:
            yield self
            return
        with TemporaryDirectory(prefix="ebmkit-check-") as folder:
            settings = {**self.claims.files(Path(folder)), **self.claims.settings}
            yield attrs.evolve(self, claims=attrs.evolve(self.claims, settings=settings))

    def takes(self, name: str) -> bool:
        """Whether the component has a parameter of this name."""
        return name in inspect.signature(self.component).parameters
