"""Whose code may be loaded: that of the user, who ran it once, and no other.

A run folder may come from a stranger, and so may the code that its run file names. ``ebmkit run`` remembers
the SHA-256 of code beside a run file in a small file of the user's; whatever opens a run loads code only if
it is among those, or if the user says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

__all__ = ["changes_allowed", "is_known", "is_trusting", "known_file", "may_change", "remember", "trusting"]

_trusting: ContextVar[bool] = ContextVar("ebmkit_trusting_code", default=False)
_may_change: ContextVar[bool] = ContextVar("ebmkit_code_may_change", default=False)


@contextmanager
def trusting(yes: bool = True) -> Iterator[None]:
    """Load whatever code a run file names inside this block: the user says that it is their own."""
    token = _trusting.set(yes or _trusting.get())
    try:
        yield
    finally:
        _trusting.reset(token)


@contextmanager
def changes_allowed(yes: bool = True) -> Iterator[None]:
    """Take code that is not what a run was trained with, inside this block."""
    token = _may_change.set(yes)
    try:
        yield
    finally:
        _may_change.reset(token)


def is_trusting() -> bool:
    """Whether any code may be loaded."""
    return _trusting.get()


def may_change() -> bool:
    """Whether code may be other than a run was trained with."""
    return _may_change.get()


def known_file() -> Path | None:
    """Where the user's own code is remembered, under ``XDG_CONFIG_HOME``; None where there is no place."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    if Path(folder).is_absolute():
        return Path(folder) / "ebmkit/code"
    try:
        return Path.home() / ".config/ebmkit/code"
    except RuntimeError:  # no HOME, and a user without an entry
        return None


def is_known(sha256: str, origin: str | None = None) -> bool:
    """Whether the user ran this code once.

    A file of known code that others own or may write says nothing.

    Args:
        sha256: of the code.
        origin: where it has to have stood; None for anywhere.
    """
    path = known_file()
    if path is None:
        return False
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.getuid() or status.st_mode & 0o022:
                return False
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return False
    known = (line.partition(" ") for line in lines)
    return any(first == sha256 and origin in (None, _written(rest)) for first, _, rest in known)


def _written(text: str) -> str | None:
    """The origin in a line."""
    try:
        return str(json.loads(text))
    except ValueError:
        return None


def remember(sha256: str, origin: str) -> None:
    """Let code be loaded from now on; where it cannot be written down, it is asked for again.

    Args:
        sha256: of the code.
        origin: where it stands, for people who read the file.
    """
    path = known_file()
    if path is None or is_known(sha256):
        return
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "a", encoding="utf-8") as file:  # noqa: PTH123 - opened as one's own above
            file.write(f"{sha256} {json.dumps(origin)}\n")
