"""Paths in run files: whether something is there, and where else it may be."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["beside", "is_missing"]


def is_missing(path: str) -> bool:
    """Whether nothing is at a path; what cannot be looked at is left to those who read it.

    Examples:
        >>> is_missing("no/such/folder"), is_missing("."), is_missing("")
        (True, False, False)
    """
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def beside(file: str, path: Any) -> list[str]:
    """A help for data that lie beside the run file, where the command is not called."""
    with suppress(OSError, ValueError, TypeError):
        there = Path(file).parent / path
        if there.exists() and not Path(path).exists():
            return [f"a relative path starts where the command is called; there is {there}"]
    return []
