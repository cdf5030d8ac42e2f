"""What a lower package needs of a higher one, handed in from above so that imports run downward only.

``ebmkit`` itself hands in what belongs here as soon as it is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["gradient_backends", "provide_gradient_backends"]

Provider: TypeAlias = Callable[[], tuple[Any, ...]]

_providers: dict[str, Provider] = {}


def provide_gradient_backends(provider: Provider) -> Provider:
    """Say who knows the gradient backends that may be asked; a decorator."""
    _providers["gradient backends"] = provider
    return provider


def gradient_backends() -> tuple[Any, ...]:
    """An ``InstalledBackend`` of ``ebmkit.core.backends`` for each that plugins offer and users let in."""
    return _providers["gradient backends"]()
