"""Weights that come with an installed package, found without importing it."""

from __future__ import annotations

import hashlib
import io
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from ebmkit.errors import DataError

__all__ = ["read_weights", "weights_of_package"]


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
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the weights {path}: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"{path} is not the file of weights it should be: its SHA-256 is {found}, not {sha256}"
        )
    weights: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return weights
