"""The data source: a finite set of training examples, found by their position."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ebmkit.parameters.ranges import Checked

__all__ = ["Source"]


class Source(Checked, ABC):
    """A finite set of training examples, found by their position.

    The order must be the same every time the same data are opened, because a resumed run
    finds its batches (and, in Algorithm G, its latents) by position.

    Attributes:
        shape: of one example, ``(C, H, W)`` for images.
        concurrent: several threads may read at once, and it pays: batches are then read ahead.
        notes: what people should know about these data, shown at the start: files left out.
        classes: the names of the classes, where the condition of an example is the number of its class.
    """

    shape: tuple[int, ...]
    concurrent: bool = False
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int:
        """How many examples there are."""

    @abstractmethod
    def __getitem__(self, index: Tensor) -> Tensor:
        """The examples at these positions, ``(n,) int64 -> (n, *shape)`` float32; images in [-1, 1]."""

    def condition(self, index: Tensor) -> Tensor | None:
        """The conditions of the examples at these positions, ``(n,) int64 -> (n, *K)``; None without any."""
        del index
        return None

    def fingerprint(self) -> str:
        """SHA-256 over every example: tells whether a run is resumed on the data it began with.

        A source with a cheaper way to tell its data apart, such as sizes and checksums of files, has
        its own.
        """
        digest = hashlib.sha256(repr((len(self), self.shape)).encode())
        for index in torch.split(torch.arange(len(self)), 256):
            digest.update(self[index].contiguous().numpy().tobytes())
        return digest.hexdigest()
