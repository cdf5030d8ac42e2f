"""Whether what ebmkit stands on is new enough: the bounds of its own metadata against what is installed."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import metadata

__all__ = ["DISTRIBUTION", "too_old"]

DISTRIBUTION = "ebmkit-torch"
"""What ebmkit is installed as."""

_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[.*?\])?\s*\(?([^;)]*)\)?(?:;.*?extra\s*==\s*['\"](.+?)['\"])?")


def too_old(extras: Collection[str] = ()) -> list[str]:
    """What is installed in a version below the bound of ebmkit's metadata, each with what to do.

    Args:
        extras: optional dependencies of these are looked at too, where they are installed.

    Returns:
        sentences: ``torch 2.5.1 is older than ebmkit needs: pip install "torch>=2.6"``.
    """
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # used from its sources, which say nothing to Python
        return []
    return [line for each in requirements if (line := _complaint(each, extras))]


def _complaint(requirement: str, extras: Collection[str]) -> str:
    found = _REQUIREMENT.match(requirement)
    if found is None or (found[3] and found[3] not in extras):
        return ""
    bounds = (clause.strip().removeprefix(">=") for clause in found[2].split(",") if ">=" in clause)
    try:
        installed = metadata.version(found[1])
    except metadata.PackageNotFoundError:
        return ""
    for bound in bounds:
        if _release(installed) < _release(bound):
            return f'{found[1]} {installed} is older than ebmkit needs: pip install "{found[1]}>={bound}"'
    return ""


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, without the zeros at its end.

    Examples:
        >>> _release("2.13.0+cpu"), _release("2.6.0a0+git1234"), _release("2.6")
        ((2, 13), (2, 6), (2, 6))
    """
    numbers = re.match(r"[\d.]*", version.strip())
    found = [int(each) for each in (numbers[0] if numbers else "").split(".") if each]
    while found and not found[-1]:
        found.pop()
    return tuple(found)
