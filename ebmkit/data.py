"""Data sources, and the batches that resume exactly."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from ebmkit.core import Batch, Rng

__all__ = ["Batches", "Source"]


class Source(ABC):
    """A finite set of training examples, found by their position.

    The order must be the same every time the same data are opened, because a resumed run
    finds its batches (and, in Algorithm G, its latents) by position.

    Attributes:
        shape: of one example, ``(C, H, W)`` for images.
    """

    shape: tuple[int, ...]

    @abstractmethod
    def __len__(self) -> int:
        """How many examples there are."""

    @abstractmethod
    def __getitem__(self, index: Tensor) -> Tensor:
        """The examples at these positions, ``(n,) int64 -> (n, *shape)`` float32; images in [-1, 1]."""

    @final
    def fingerprint(self) -> str:
        """SHA-256 over every example: tells whether a run is resumed on the data it began with."""
        digest = hashlib.sha256(repr((len(self), self.shape)).encode())
        for index in torch.split(torch.arange(len(self)), 256):
            digest.update(self[index].contiguous().numpy().tobytes())
        return digest.hexdigest()


@final
class Batches:
    """The batch of iteration k, a pure function of (seed, k).

    Each epoch is a new random order of the whole data; a batch that reaches the end of one epoch
    goes on with the next, so that every example is seen equally often and every batch is full.

    Args:
        source: the data.
        size: examples a batch, >= 1; it may exceed the data.
        rng: the stream that shuffles.
        device: where the batches are needed.
    """

    def __init__(self, source: Source, *, size: int, rng: Rng, device: torch.device) -> None:
        self.source = source
        self.size = size
        self.rng = rng
        self.device = device
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))

    def __getitem__(self, iteration: int) -> Batch:
        """The batch of this iteration, counted from 0."""
        begin = iteration * self.size
        index = torch.cat(list(self._pieces(begin, begin + self.size)))
        return Batch(self.source[index].to(self.device), index.to(self.device))

    def _pieces(self, begin: int, end: int) -> list[Tensor]:
        """The positions begin..end of the endless sequence of shuffled epochs, an epoch at a time."""
        count = len(self.source)
        epochs = range(begin // count, (end - 1) // count + 1)
        return [self._epoch(epoch)[max(begin - epoch * count, 0) : end - epoch * count] for epoch in epochs]

    def _epoch(self, epoch: int) -> Tensor:
        if self._order[0] != epoch:
            self._order = (epoch, self.rng.fold(epoch).permutation(len(self.source)))
        return self._order[1]
