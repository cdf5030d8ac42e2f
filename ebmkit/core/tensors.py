"""Examples that are in memory already."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ebmkit.core.source import Source

__all__ = ["TensorSource"]


@final
class TensorSource(Source):
    """A tensor as training data.

    Args:
        x: the examples, ``(N, *S)``; integers become float32. Images are in [-1, 1].
        condition: of each, ``(N, *K)``: any tensor, the number of its class for instance.
        classes: the names of the classes, where that is what a condition is: as many as there are numbers.

    Raises:
        ValueError: no example, numbers that are not finite, or conditions that do not fit.

    Examples:
        >>> source = TensorSource(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0]), classes=("left", "right"))
        >>> len(source), source.shape, source.condition(torch.tensor([2]))
        (4, (2,), tensor([1]))
    """

    def __init__(self, x: Tensor, condition: Tensor | None = None, *, classes: tuple[str, ...] = ()) -> None:
        if x.ndim == 0 or not x.numel():
            raise ValueError(f"a tensor of shape {tuple(x.shape)} holds no example: (N, *S) is needed")
        self._x = x.detach().cpu().to(torch.float32)
        if not bool(torch.isfinite(self._x).all()):
            raise ValueError("the examples hold numbers that are not finite")
        if condition is not None and len(condition) != len(x):
            raise ValueError(f"{len(condition)} conditions for {len(x)} examples: one for each is needed")
        self._condition = None if condition is None else condition.detach().cpu()
        self.classes = tuple(classes)
        self.shape = tuple(x.shape[1:])
        if self.classes:
            self._refuse_other_than_numbers_of_classes()

    def _refuse_other_than_numbers_of_classes(self) -> None:
        condition = self._condition
        if condition is None or condition.ndim != 1 or condition.dtype != torch.int64:
            raise ValueError("the condition of classes is the number of each example's class, (N,) int64")
        if int(condition.min()) < 0 or int(condition.max()) >= len(self.classes):
            raise ValueError(f"there are {len(self.classes)} classes, so their numbers are 0 to one less")

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self._x)

    def __getitem__(self, index: Tensor) -> Tensor:
        """The examples at these positions, ``(n,) int64 -> (n, *S)`` float32."""
        return self._x[index]

    def condition(self, index: Tensor) -> Tensor | None:
        """The conditions of the examples at these positions, ``(n,) -> (n, *K)``; None without any."""
        return None if self._condition is None else self._condition[index]
