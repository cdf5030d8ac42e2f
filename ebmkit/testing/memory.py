"""How much memory this process holds."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from pathlib import Path
from typing import TypeAlias

from torch import Tensor

__all__ = ["Alive", "bytes_since", "living_tensors", "resident_bytes"]


def resident_bytes() -> int:
    """Resident memory now; where the system does not tell, the most there ever was."""
    statistics = Path("/proc/self/statm")
    if statistics.exists():
        return int(statistics.read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


Alive: TypeAlias = dict[int, weakref.ref[Tensor]]


def living_tensors() -> Alive:
    """Every tensor that something still holds, by its identity."""
    gc.collect()
    tensors = (each for each in gc.get_objects() if issubclass(type(each), Tensor))
    return {id(each): weakref.ref(each) for each in tensors}


def bytes_since(before: Alive) -> int:
    """What the tensors hold that have come since and stayed, shared memory counted once.

    Resident memory does not tell of a leak that fits into what was freed before.
    """
    came = [each() for key, each in living_tensors().items() if key not in before or before[key]() is None]
    storages = [each.untyped_storage() for each in came if each is not None]
    return sum({each.data_ptr(): each.nbytes() for each in storages}.values())
