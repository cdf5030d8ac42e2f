"""Sets of examples to compare: samples as they are drawn, parts of the data, draws from a Gaussian."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import CooperativeScheduler, ExampleSet, Rng, brief, classes_in_turn, takes_conditions

__all__ = ["Drawn", "Part", "draw", "gaussian_like", "spread"]

_CHUNK = 64


@final
@attrs.frozen(eq=False)
class Drawn:
    """Samples, images among them as bytes: metrics of images look at no more than these.

    Attributes:
        rows: ``(n, *S)``, uint8 of images in [-1, 1], else as they were drawn.
    """

    rows: Tensor

    def __repr__(self) -> str:
        return brief(self)

    @classmethod
    def of(cls, x: Tensor, *, images: bool) -> Drawn:
        """Keep examples ``(n, *S)``."""
        if not images:
            return cls(x.cpu())
        return cls(x.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).cpu())

    def __len__(self) -> int:
        """How many."""
        return len(self.rows)

    def __getitem__(self, index: Tensor) -> Tensor:
        """Those at these positions, ``(m, *S)`` float32."""
        rows = self.rows[index]
        return rows.float().div(127.5).sub(1) if rows.dtype == torch.uint8 else rows


@final
@attrs.frozen(eq=False)
class Part:
    """Some of the examples of a set, by their positions in it."""

    whole: ExampleSet
    positions: Tensor

    def __repr__(self) -> str:
        return brief(self)

    def __len__(self) -> int:
        """How many."""
        return len(self.positions)

    def __getitem__(self, index: Tensor) -> Tensor:
        """Those at these positions of the part, ``(m, *S)``."""
        return self.whole[self.positions[index]]


def spread(examples: ExampleSet, count: int, *, rng: Rng) -> Part:
    """At most so many examples, drawn from the whole set without repetition."""
    return Part(examples, rng.permutation(len(examples))[:count].sort().values)


def draw(
    schedule: CooperativeScheduler,
    count: int,
    *,
    seed: int,
    images: bool,
    steps: int | None = None,
    classes: int = 0,
) -> Drawn:
    """What a schedule in eval mode answers for, a chunk at a time: its revised samples, or its proposals.

    The samples are those of ``ebmkit sample`` with the same seed; conditional parts draw all classes in turn.
    """
    rows = None
    classes = classes if takes_conditions(schedule) else 0
    for first, size in _chunks(count):
        rng = Rng(seed, first_chain=first).fold_in("sample")
        given = schedule.given(classes_in_turn(classes, first=first, count=size))
        made: dict[str, Any] = given.sample(size, rng=rng, steps=steps)._asdict()
        x = made["revised"] if made["revised"] is not None else made["proposal"]
        rows = _kept(rows, Drawn.of(x.detach(), images=images).rows, first, count)
    return Drawn(rows if rows is not None else torch.empty(0))


def _chunks(count: int) -> Iterator[tuple[int, int]]:
    """Where each chunk begins, and its size."""
    for first in range(0, count, _CHUNK):
        yield first, min(_CHUNK, count - first)


def _kept(rows: Tensor | None, chunk: Tensor, first: int, count: int) -> Tensor:
    """All rows, of which a chunk is filled in: joined at the end they would be in memory twice."""
    if rows is None:
        rows = chunk.new_empty(count, *chunk.shape[1:])
    rows[first : first + len(chunk)] = chunk
    return rows


def gaussian_like(examples: ExampleSet, count: int, *, rng: Rng, images: bool) -> Drawn:
    r"""Draws from the Gaussian of the examples' mean and covariance, a chunk at a time.

    $x = \mu + \sum_i \epsilon_i (x_i - \mu) / \sqrt{m - 1}$ has exactly the sample covariance of the m
    examples, without a matrix of the size of the data squared.
    """
    x = examples[torch.arange(len(examples))].float()
    mean, shape = x.mean(0), x.shape[1:]
    x = (x - mean).flatten(1)
    rows = None
    for first, size in _chunks(count):
        noise = rng.of_chain(first).normal(torch.empty(size, len(x)))
        drawn = (noise @ x / max(len(x) - 1, 1) ** 0.5).view(size, *shape) + mean
        rows = _kept(rows, Drawn.of(drawn, images=images).rows, first, count)
    return Drawn(rows if rows is not None else torch.empty(0))
