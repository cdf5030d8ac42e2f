"""How much memory this process holds."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from torch import Tensor

__all__ = ["resident_bytes", "tensor_bytes"]


def resident_bytes() -> int:
    """Resident memory now; where the system does not tell, the most there ever was."""
    statistics = Path("/proc/self/statm")
    if statistics.exists():
        return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def tensor_bytes() -> int:
    """What all living tensors hold, shared memory counted once.

    Resident memory does not tell of a leak that fits into what was freed before.
    """
    gc.collect()
    tensors = (each for each in gc.get_objects() if issubclass(type(each), Tensor))
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}
    return sum(storages.values())
