"""What samplers watch: made when it is read, and averaged over a chain.

On a small energy the calls that make a figure of a step take longer than their arithmetic, and so does its
mean. So a chain keeps what they are made of for some steps, and makes and averages the figures of these
together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias, final

import torch
from torch import Tensor

from ebmkit.core.sampler import Info

__all__ = ["Average", "Derived"]

_KEPT = 32
"""Steps whose entries are averaged together."""

_SMALL = 4096
"""Numbers per step up to which the rows of an info are kept: of larger ones the entries are made at once."""

_ROWS = 2**15
"""Numbers in all rows that are kept: 128 KiB in float32."""

Derive: TypeAlias = Callable[..., dict[str, Tensor]]
"""From rows, ``(N, *S)``, and constants to entries, each ``(N,)`` or 0-dim."""


@final
class Derived(Mapping[str, Tensor]):
    """An Info whose entries are functions of a tensor, made when they are read.

    Args:
        rows: one a chain, ``(B, *S)``; not written to before the next step.
        derive: called with ``rows``, or with those of several steps joined, ``(N, *S)``, and with
            ``constants``. It takes each row for itself.
        constants: numbers; steps in which they are equal are joined.

    Examples:
        >>> import torch
        >>> def power(rows, scale):
        ...     return {"power": scale * rows.square().sum(1)}
        >>> Derived(torch.tensor([[1.0, 1.0], [2.0, 0.0]]), power, 0.5)["power"]
        tensor([1., 2.])
    """

    __slots__ = ("_entries", "constants", "derive", "rows")

    def __init__(self, rows: Tensor, derive: Derive, *constants: float) -> None:
        self.rows, self.derive, self.constants = rows, derive, constants
        self._entries: dict[str, Tensor] | None = None

    def __getitem__(self, name: str) -> Tensor:
        return self._made()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made())

    def __len__(self) -> int:
        return len(self._made())

    def joins(self, other: Derived) -> bool:
        """Whether the rows of both may be joined."""
        same = self.derive == other.derive and self.constants == other.constants
        return same and self.rows.shape == other.rows.shape

    def of(self, rows: Tensor) -> dict[str, Tensor]:
        """The entries of other rows."""
        return self.derive(rows, *self.constants)

    def _made(self) -> dict[str, Tensor]:
        if self._entries is None:
            self._entries = self.of(self.rows)
        return self._entries


@final
class Average:
    """The mean of what a sampler watches, over steps and chains."""

    def __init__(self) -> None:
        self._steps = 0
        self._sums: dict[str, list[Tensor]] = {}
        self._values: dict[str, list[Tensor]] = {}
        self._rows: list[Tensor] = []
        self._like: Derived | None = None

    def add(self, info: Info) -> None:
        """One step more."""
        self._steps += 1
        if isinstance(info, Derived) and (size := info.rows.numel()) <= _SMALL:
            if self._like is None or len(self._rows) * size >= _ROWS or not info.joins(self._like):
                self._sum_rows()
                self._like = info
            # A copy, for the gradient of a user's own energy may lie where its next one will.
            self._rows.append(info.rows.clone())
            return
        for name, value in info.items():
            self._values.setdefault(name, []).append(value)
        if self._steps % _KEPT == 0:
            self._sum_values()

    def result(self) -> dict[str, Tensor]:
        """By name, each 0-dim."""
        self._sum_values()
        self._sum_rows()
        return {name: torch.stack(sums).sum(0) / self._steps for name, sums in self._sums.items()}

    def _sum_values(self) -> None:
        for name, values in self._values.items():
            self._sum(name, torch.stack(values), len(values))
        self._values.clear()

    def _sum_rows(self) -> None:
        if self._like is not None and self._rows:
            for name, entry in self._like.of(torch.cat(self._rows)).items():
                self._sum(name, entry, len(self._rows))
        self._rows.clear()

    def _sum(self, name: str, entries: Tensor, steps: int) -> None:
        self._sums.setdefault(name, []).append(entries.mean() * steps)
