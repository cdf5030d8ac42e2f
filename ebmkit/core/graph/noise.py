"""Streams of random numbers for steps that become a graph: the draws are noted, and made from inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from ebmkit.core.counters import GOLDEN, WORD, Make, drawn, folded, signed, steps_folded
from ebmkit.core.rng import Draw, Rng

__all__ = ["DrawnRng", "KeyedRng", "NotedRng", "draw_numbers", "draw_words"]


@final
class NotedRng(Rng):
    """A stream that notes which draws were made of it and of the streams folded from it, in their order."""

    __slots__ = ("_labels", "draws")

    def __init__(self, rng: Rng, labels: tuple[int | str, ...] = (), draws: list[Draw] | None = None) -> None:
        super().__init__(rng.key, first_chain=rng.first_chain)
        self._labels = labels
        self.draws: list[Draw] = [] if draws is None else draws

    def fold_in(self, *labels: int | str) -> Rng:
        """As ``Rng.fold_in``."""
        return NotedRng(super().fold_in(*labels), (*self._labels, *labels), self.draws)

    def _draw(self, make: Make, like: Tensor) -> Tensor:
        outline = like.new_empty(1).expand(like.shape)  # a shape that takes no memory
        self.draws.append(Draw(self._labels, self._draws, make, outline))
        return super()._draw(make, like)


class RepeatedRng(Rng):
    """Makes the draws that were noted, in the same order, whoever folds it."""

    __slots__ = ()

    def __init__(self) -> None:
        # No key: whoever asks for it would get one that is not this step's.
        self._draws = 0

    def fold_in(self, *labels: int | str) -> Rng:
        """This stream: the order of the draws tells them apart."""
        del labels
        return self

    def _next(self) -> int:
        draw, self._draws = self._draws, self._draws + 1
        return draw

    def permutation(self, count: int) -> Tensor:
        """Not possible: it is made on the CPU.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("a permutation inside a graph")


@final
class KeyedRng(RepeatedRng):
    """Makes the draws from keys that may be the input of a graph.

    Args:
        words: of one step, a row of ``draw_words``, ``(draws,)`` int64 on the device.
    """

    __slots__ = ("_words",)

    def __init__(self, words: Tensor) -> None:
        super().__init__()
        self._words = words

    def _draw(self, make: Make, like: Tensor) -> Tensor:
        draw = self._next()
        return drawn(make, self._words[draw : draw + 1], 0, like)[0]


@final
class DrawnRng(RepeatedRng):
    """Hands out numbers that were made before.

    Args:
        numbers: of each noted draw.
    """

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Sequence[Tensor]) -> None:
        super().__init__()
        self._numbers = numbers

    def _draw(self, make: Make, like: Tensor) -> Tensor:
        del make, like
        return self._numbers[self._next()]


def draw_words(rng: Rng, label: str, steps: range, draws: Sequence[Draw]) -> Tensor:
    """The words from which ``KeyedRng`` makes what the streams ``rng.fold_in(label, step)`` would draw.

    Returns:
        ``(steps, draws)`` int64, on the CPU.
    """
    streams = steps_folded(folded(rng.key, label), steps)
    words = [draw.keys(streams) for draw in draws]
    shift = signed(rng.first_chain * GOLDEN & WORD)
    return torch.stack(words, 1).add_(shift) if words else streams.new_empty(len(steps), 0)


def draw_numbers(words: Tensor, draws: Sequence[Draw]) -> list[Tensor]:
    """What is made of those words: of each noted draw ``(steps, *like.shape)``."""
    by_draw = zip(draws, words.unbind(1), strict=True)
    return [drawn(draw.make, of_steps, 0, draw.like) for draw, of_steps in by_draw]
