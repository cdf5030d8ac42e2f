"""Small files, for the checks of the sources that read some."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

__all__ = ["write_cifar", "write_csv", "write_idx", "write_npy", "write_npz", "write_tensors"]

_COUNT = 8


def write_npy(folder: Path) -> Mapping[str, Any]:
    """Numbers ``(8, 5)``; returns the ``path``."""
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(_COUNT, 5)))
    return {"path": str(folder / "x.npy")}


def write_npz(folder: Path) -> Mapping[str, Any]:
    """Bytes ``(8, 1, 6, 6)``; returns the ``path``."""
    np.savez(folder / "x.npz", images=_bytes(_COUNT, 1, 6, 6))
    return {"path": str(folder / "x.npz")}


def write_tensors(folder: Path) -> Mapping[str, Any]:
    """Bytes ``(8, 1, 6, 6)``; returns the ``path``."""
    save_file({"x": torch.from_numpy(_bytes(_COUNT, 1, 6, 6))}, folder / "x.safetensors")
    return {"path": str(folder / "x.safetensors")}


def write_csv(folder: Path) -> Mapping[str, Any]:
    """A table of three columns and eight rows; returns the ``path``."""
    rows = np.random.default_rng(0).normal(size=(_COUNT, 3))
    lines = ["a,b,c", *(",".join(map(repr, map(float, row))) for row in rows)]
    (folder / "x.csv").write_text("\n".join(lines))
    return {"path": str(folder / "x.csv")}


def write_idx(folder: Path) -> Mapping[str, Any]:
    """Bytes ``(8, 6, 6)``; returns the ``path``."""
    header = b"\0\0\x08\x03" + struct.pack(">3I", _COUNT, 6, 6)
    (folder / "x-idx3-ubyte").write_bytes(header + _bytes(_COUNT, 6, 6).tobytes())
    return {"path": str(folder / "x-idx3-ubyte")}


def write_cifar(folder: Path) -> Mapping[str, Any]:
    """Five batches of eight images, as CIFAR-10 has them; returns the ``path``."""
    for number in range(1, 6):
        (folder / f"data_batch_{number}.bin").write_bytes(_bytes(_COUNT, 3073, seed=number).tobytes())
    return {"path": str(folder)}


def _bytes(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
