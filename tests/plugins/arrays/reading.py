"""Arrays in files, and all examples of a source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ebmkit.core import Source


def everything(source: Source) -> torch.Tensor:
    return source[torch.arange(len(source))]


def saved(path: Path, array: Any) -> str:
    np.save(path, array)
    return str(path)


def put(content: bytes, at: int, byte: int) -> bytes:
    """With another byte there: a disk's damage."""
    return content[:at] + bytes([byte]) + content[at + 1 :]
