"""The batches of a training, which resume exactly."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ebmkit.core import Batch, Rng, Source, world
from ebmkit.training.readahead import ReadAhead

__all__ = ["Batches"]


@final
class Batches:
    """The batch of iteration k, a pure function of (seed, k).

    Each epoch is a new random order of the whole data; a batch that reaches the end of one epoch
    goes on with the next, so that every example is seen equally often and every batch is full.

    Where several processes train, each gets its rows of that batch and reads no others.

    A source that may be read by several threads is read ahead: while one batch is learned from, the
    next two are decoded. That changes no batch.

    Args:
        source: the data.
        size: examples a batch, >= 1; it may exceed the data.
        rng: the stream that shuffles.
        device: where the batches are needed.
        workers: threads that read ahead where the source is ``concurrent``; 0 reads every batch when
            it is asked for.
    """

    def __init__(
        self, source: Source, *, size: int, rng: Rng, device: torch.device, workers: int = 0
    ) -> None:
        self.source = source
        self.size = size
        self.rng = rng
        self.device = device
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))
        self._ahead = ReadAhead(source.__getitem__, workers) if source.concurrent and workers else None

    def __getitem__(self, iteration: int) -> Batch:
        """This process's part of the batch of this iteration, counted from 0."""
        index = self._positions(iteration)
        x = self.source[index] if self._ahead is None else self._ahead.batch(iteration, self._positions)
        condition = self.source.condition(index)
        condition = None if condition is None else condition.to(self.device)
        return Batch(x.to(self.device), index.to(self.device), condition)

    @property
    def rows(self) -> slice:
        """Which rows of the whole batch this process gets."""
        return world().rows(self.size)

    def _positions(self, iteration: int) -> Tensor:
        """Where these rows stand in the source."""
        begin = iteration * self.size
        return torch.cat(self._pieces(begin, begin + self.size))[self.rows]

    def _pieces(self, begin: int, end: int) -> list[Tensor]:
        """The positions begin..end of the endless sequence of shuffled epochs, an epoch at a time."""
        count = len(self.source)
        epochs = range(begin // count, (end - 1) // count + 1)
        return [self._epoch(epoch)[max(begin - epoch * count, 0) : end - epoch * count] for epoch in epochs]

    def _epoch(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            self._order = (epoch, self.rng.fold_in(epoch).permutation(len(self.source)))
        return self._order[1]
