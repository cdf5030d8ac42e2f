"""Weights out of files: those that an installed package carries, and those that the user names."""

from __future__ import annotations

import hashlib
import io
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from ebmkit.errors import DataError

__all__ = ["named_weights", "read_weights", "weights_of_package"]


def weights_of_package(distribution: str, suffix: str, *, install: str) -> Path:
    """Where an installed distribution keeps the file whose name ends so.

    Args:
        distribution: its name, as pip knows it.
        suffix: how the path of the file ends.
        install: the command that installs it, for the message.

    Raises:
        DataError: it is not installed, or has no such file.
    """
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        raise DataError(
            f"the weights come with the package {distribution}, which is not installed: {install}"
        ) from None
    for file in files:
        if str(file).endswith(suffix):
            return Path(str(file.locate()))
    raise DataError(f"the installed package {distribution} has no file {suffix}: install it again")


def read_weights(path: Path, *, sha256: str) -> dict[str, Tensor]:
    """The tensors of a file that is the one it should be; nothing in it is run.

    Args:
        path: of a file that torch saved.
        sha256: of its bytes, in hexadecimal digits.

    Raises:
        DataError: it cannot be read, or is another file.
    """
    content, found = _content(path)
    if found != sha256:
        raise DataError(
            f"{path} is not the file of weights it should be: its SHA-256 is {found}, not {sha256}"
        )
    weights: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return weights


def named_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a file that the user names, and its SHA-256; nothing in it is run.

    Args:
        path: of a file that torch saved: tensors by their names.

    Raises:
        DataError: it cannot be read, or holds anything else.
    """
    content, found = _content(path)
    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - what is no such file can raise anything
        weights = None
    if not isinstance(weights, dict) or not all(isinstance(each, Tensor) for each in weights.values()):
        raise DataError(f"{path} holds no weights: it should be a file of tensors that torch.save wrote")
    return dict(weights), found


def _content(path: Path) -> tuple[bytes, str]:
    """The bytes of a file and their SHA-256."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the weights {path}: {error.strerror}") from None
    return content, hashlib.sha256(content).hexdigest()
