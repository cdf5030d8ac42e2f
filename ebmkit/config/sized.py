"""Features by the name that their figures bear: ``lite0``, or ``lite0-224`` with a size in pixels."""

from __future__ import annotations

from typing import Any

from ebmkit.config.convert import convert
from ebmkit.registry.discovery import Component, Registry, UnknownComponentError

__all__ = ["features_called"]

_DIGITS = 18
"""Of a size: longer numbers are none."""


def features_called(name: str, registry: Registry) -> tuple[Component, dict[str, Any]]:
    """The component of that name, and the keywords that the name says.

    Raises:
        UnknownComponentError: there is none, or it has no size.
        OutOfRangeError: a size that it does not take.
    """
    try:
        return registry.find("features", name), {}
    except UnknownComponentError:
        base, _, size = name.rpartition("-")
        if not base or not size.isdecimal() or len(size) > _DIGITS:
            raise
    component = registry.find("features", base)
    if (parameter := component.signature.parameter("size")) is None:
        raise UnknownComponentError(f"the features {base!r} have no size")
    return component, {"size": convert(int(size), parameter.hint)}
