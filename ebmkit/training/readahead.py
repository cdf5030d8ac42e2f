"""Batches read by threads before they are needed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import final

import torch
from torch import Tensor

__all__ = ["ReadAhead"]

_BATCHES = 2


@final
class ReadAhead:
    """Reads batch k, and in the meantime k + 1 and k + 2, each in pieces by several threads.

    What is read for a batch depends on its number alone, so that neither the threads nor the order in
    which batches are asked for change it. At most three batches are in memory at a time.

    Args:
        read: examples by their positions, ``(n,) -> (n, *S)``; called from several threads.
        threads: how many, >= 1.
    """

    def __init__(self, read: Callable[[Tensor], Tensor], threads: int) -> None:
        self._read = read
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ebmkit-data")
        self._pending: dict[int, list[Future[Tensor]]] = {}

    def batch(self, number: int, positions: Callable[[int], Tensor]) -> Tensor:
        """The examples of a batch, ``(n, *S)``.

        Args:
            number: of the batch, >= 0.
            positions: which examples any batch is made of.

        Raises:
            Exception: whatever ``read`` raises for this batch.
        """
        wanted = range(number, number + 1 + _BATCHES)
        for stale in self._pending.keys() - set(wanted):
            for future in self._pending.pop(stale):
                future.cancel()
        for each in wanted:
            if each not in self._pending:
                pieces = positions(each).tensor_split(self._threads)
                self._pending[each] = [self._pool.submit(self._read, piece) for piece in pieces]
        return torch.cat([future.result() for future in self._pending.pop(number)])
