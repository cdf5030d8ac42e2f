"""The manifest of a checkpoint: what belongs to it, sealed by a checksum of its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebmkit.errors import CheckpointError
from ebmkit.storage.durable import read_regular

__all__ = ["FORMAT", "MANIFEST", "read_manifest", "seal", "unsealed"]

FORMAT = 2
"""The format that is written. Format 1, the same without the seal, is still read."""

MANIFEST = "manifest.json"

_BEFORE = b'{\n "sha256": "'
_BLANK = b"0" * 64
_CHANGED = "changed since it was written (SHA-256 differs)"
_LARGEST = 64 << 20
_NAME = re.compile(r"\w[\w.-]*\.safetensors")
"""Of a file: no path, and nothing that no file can be called."""

_AFTER = len(_BEFORE) + len(_BLANK)


def seal(entries: Mapping[str, Any]) -> bytes:
    """The manifest as JSON whose first entry is the SHA-256 of all its bytes, that entry blank.

    Args:
        entries: ``iteration``, ``files`` and whatever else belongs to the checkpoint.
    """
    data = json.dumps({"sha256": _BLANK.decode(), "format": FORMAT, **entries}, indent=1).encode()
    return _BEFORE + _digest(data) + data[_AFTER:]


def unsealed(data: bytes) -> dict[str, Any]:
    """The entries of what ``seal`` gave.

    Raises:
        ValueError: it gave something else.
    """
    entries = json.loads(data)
    if not (isinstance(entries, dict) and data.startswith(_BEFORE)):
        raise ValueError("not sealed")
    if data[len(_BEFORE) : _AFTER] != _digest(data):
        raise ValueError(_CHANGED)
    return entries


def read_manifest(folder: Path) -> dict[str, Any]:
    """The entries of a checkpoint's manifest, verified.

    Raises:
        CheckpointError: missing, changed, no JSON, an entry missing, or a format this release does not know.
    """
    path = folder / MANIFEST
    try:
        data = read_regular(path, at_most=_LARGEST)
        manifest = json.loads(data)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: no JSON: {error}") from None
    fault = _fault(data, manifest)
    if fault:
        raise CheckpointError(f"{path}: {fault}")
    return {str(name): value for name, value in manifest.items()}


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data[: len(_BEFORE)] + _BLANK + data[_AFTER:]).hexdigest().encode()


def _fault(data: bytes, manifest: Any) -> str:
    """What is wrong with a manifest, or nothing."""
    if not isinstance(manifest, dict):
        return "not a manifest"
    sealed = data.startswith(_BEFORE)
    if sealed and data[len(_BEFORE) : _AFTER] != _digest(data):
        return _CHANGED
    if manifest.get("format") != (FORMAT if sealed else 1):
        return f"not a checkpoint manifest of format {FORMAT} or 1"
    return _gap(manifest.get("iteration"), manifest.get("files"))


def _gap(iteration: Any, files: Any) -> str:
    """Which entry a reader needs is missing, or nothing."""
    if type(iteration) is not int or iteration < 0:
        return "'iteration' is missing or no number"
    if not isinstance(files, dict):
        return "'files' is missing"
    for name, entry in files.items():
        if not _NAME.fullmatch(name):
            return f"names a file outside the checkpoint: {name!r}"
        if not (
            isinstance(entry, dict)
            and type(entry.get("bytes")) is int
            and isinstance(entry.get("sha256"), str)
        ):
            return f"'bytes' or 'sha256' of {name} is missing"
    return ""
