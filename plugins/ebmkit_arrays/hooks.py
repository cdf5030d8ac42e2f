"""What this plugin offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ebmkit.plugin import hookimpl

if TYPE_CHECKING:
    from ebmkit.core import Source


@hookimpl
def ebmkit_sources() -> Mapping[str, type[Source] | str]:
    """``cifar``, ``csv``, ``idx``, ``npy``, ``npz`` and ``tensors``."""
    return {
        "cifar": "ebmkit_arrays.cifar:Cifar",
        "csv": "ebmkit_arrays.tables:Csv",
        "idx": "ebmkit_arrays.idx:Idx",
        "npy": "ebmkit_arrays.numpy_files:Npy",
        "npz": "ebmkit_arrays.numpy_files:Npz",
        "tensors": "ebmkit_arrays.tensors:Tensors",
    }
