r"""Random numbers as a pure function of (seed, labels, chain, draw).

Nothing here has a state worth saving: a stream is a 64-bit key, a number is the
SplitMix64 hash of key and position. So a resumed run needs no generator state, a
batch of 64 chains draws the bits of two batches of 32, and splitting chains over
processes changes nothing. torch's global generator is never read or moved.

Sources: SplitMix64 is Steele, Lea, Flood, "Fast splittable pseudorandom number
generators" (OOPSLA 2014); counters instead of states follow Salmon, Moraes, Dror,
Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); the map to normals is
Box and Muller (1958).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor

from ebmkit.core.counters import (
    WORD,
    Bits,
    Make,
    all_folded,
    draw_key,
    draw_keys,
    drawn,
    draws_folded,
    folded,
    in_blocks,
    label_word,
    normal_numbers,
    signed,
    step_keys,
    uniform_numbers,
)
from ebmkit.messages.brief import brief

__all__ = ["Draw", "Rng"]

_AHEAD = 256
"""Most steps of a chain whose numbers are drawn together."""

_FIRST = 16
"""Steps that are drawn together at the beginning of a chain whose end is not known."""

_TOGETHER = 2**16
"""Most numbers that are drawn together: 256 KiB in float32, and some eight times that while they are made."""


class Draw(NamedTuple):
    """Which draw of a stream, by which labels the stream is folded, and what is made in whose likeness."""

    labels: tuple[int | str, ...]
    number: int
    make: Make
    like: Tensor

    def __repr__(self) -> str:
        return brief(self)

    def keys(self, streams: Tensor) -> Tensor:
        """The key of this draw in each of some streams, given by their keys, ``(streams,)`` int64."""
        for label in self.labels:
            streams = all_folded(streams, signed(label_word(label)))
        return draws_folded(streams, self.number)


class Rng:
    """A stream of random numbers for a batch of chains.

    Two streams with equal keys draw equal numbers. Each call of ``normal`` or
    ``uniform`` is one *draw*: the first call on a stream differs from the second,
    and both repeat on a stream made again with the same key.

    Args:
        key: the seed of the stream, any integer (taken modulo 2^64).
        first_chain: global index of row 0; a process that holds chains 32..63 of 64
            passes 32 and draws the rows that one process would.

    Examples:
        >>> import torch
        >>> rng = Rng(0).fold_in("revision", 7)
        >>> whole = rng.normal(torch.empty(4, 3))
        >>> upper = Rng(0, first_chain=2).fold_in("revision", 7).normal(torch.empty(2, 3))
        >>> torch.equal(whole[2:], upper)
        True
    """

    __slots__ = ("_draws", "first_chain", "key")

    def __init__(self, key: int, *, first_chain: int = 0) -> None:
        self.key = key & WORD
        self.first_chain = first_chain
        self._draws = 0

    def __repr__(self) -> str:
        return f"Rng(key=0x{self.key:016x}, first_chain={self.first_chain})"

    def fold_in(self, *labels: int | str) -> Rng:
        """A new stream, independent of this one, named by ``labels``; this one is unchanged.

        Examples:
            >>> Rng(1).fold_in("data", 3).key == Rng(1).fold_in("data").fold_in(3).key
            True
        """
        return Rng(folded(self.key, *labels), first_chain=self.first_chain)

    def steps(self, label: str, count: int | None = None) -> Iterator[Rng]:
        """``fold_in(label, 0)``, ``fold_in(label, 1)``, …: the streams of the steps of one chain.

        They draw the same numbers as those. Where a step needs few, the numbers of the next steps are drawn
        along with them, because the calls would take longer than the numbers.

        Args:
            label: of the chain.
            count: how many steps it has, so that no number is drawn for others; None where that is open.
        """
        of_chain, begin, length = folded(self.key, label), 0, _FIRST if count is None else _AHEAD
        while count is None or begin < count:
            end = begin + length if count is None else min(begin + length, count)
            yield from _Ahead(step_keys(of_chain, range(begin, end)), self.first_chain)
            begin, length = end, min(2 * length, _AHEAD)

    def of_chain(self, first_chain: int) -> Rng:
        """The same stream with another global index of row 0; 0 is what every process sees alike."""
        return Rng(self.key, first_chain=first_chain)

    def normal(self, like: Tensor) -> Tensor:
        """Independent N(0, 1) numbers of the shape, dtype and device of ``like``, contiguous.

        Row b belongs to chain ``first_chain + b``: ``(B, *S) -> (B, *S)``. The tails reach
        6.66 standard deviations (32 random bits a number).
        """
        return self._draw(normal_numbers, like)

    def uniform(self, like: Tensor) -> Tensor:
        """Independent numbers from (0, 1) of the shape, dtype and device of ``like``.

        0 is never drawn, so a logarithm is safe; in float32 the largest values round to 1.
        """
        return self._draw(uniform_numbers, like)

    def permutation(self, count: int) -> Tensor:
        """A random order of 0..count-1, ``(count,)`` int64 on the CPU: one for all chains."""
        key, self._draws = draw_key(self.key, self._draws), self._draws + 1
        return Bits([key], 0, 1, count, torch.device("cpu"))(count)[0].argsort(stable=True)

    def _draw(self, make: Make, like: Tensor) -> Tensor:
        draw, self._draws = self._draws, self._draws + 1
        return in_blocks(make, draw_key(self.key, draw), self.first_chain, like)


@final
class _OfStep(Rng):
    """The stream of one step, whose numbers may have been made with those of other steps."""

    __slots__ = ("_ahead", "_place")

    def __init__(self, key: int, first_chain: int, ahead: _Ahead, place: int) -> None:
        self.key, self.first_chain, self._draws = key, first_chain, 0
        self._ahead, self._place = ahead, place

    def _draw(self, make: Make, like: Tensor) -> Tensor:
        drawn = self._ahead.drawn(make, self._draws, like)
        if drawn is None:
            return super()._draw(make, like)
        self._draws += 1
        return drawn.of(self._place)


@final
class _Ahead:
    """Consecutive steps of a chain.

    Args:
        keys: of the streams of the steps.
        first_chain: global index of row 0.
    """

    def __init__(self, keys: list[int], first_chain: int) -> None:
        self._keys = keys
        self._first_chain = first_chain
        self._drawn: dict[tuple[object, ...], _Drawn | None] = {}

    def __iter__(self) -> Iterator[Rng]:
        for place, key in enumerate(self._keys):
            yield _OfStep(key, self._first_chain, self, place)

    def drawn(self, make: Make, draw: int, like: Tensor) -> _Drawn | None:
        """The draw of this number of every step; None where it is so large that each is made for itself."""
        name = (make, draw, like.shape, like.dtype, like.device)
        try:
            return self._drawn[name]
        except KeyError:
            together = _TOGETHER // max(like.numel(), 1)
            outline = like.new_empty(1).expand(like.shape)  # a shape that takes no memory
            drawn = _Drawn(self._keys, self._first_chain, Draw((), draw, make, outline), together)
            self._drawn[name] = drawn if together > 1 else None
            return self._drawn[name]


@final
class _Drawn:
    """One draw of consecutive steps, made for some of them when the first of these is asked for.

    Args:
        keys: of the streams of the steps.
        first_chain: global index of row 0.
        draw: which, and in whose likeness.
        together: how many steps' numbers are made at a time; those made before are forgotten.
    """

    def __init__(self, keys: list[int], first_chain: int, draw: Draw, together: int) -> None:
        self._keys, self._first_chain, self._draw, self._together = keys, first_chain, draw, together
        self._made: tuple[int, Sequence[Tensor]] = 0, ()

    def of(self, place: int) -> Tensor:
        """The draw of one step, ``like.shape``, in memory of its own."""
        begin, numbers = self._made  # in one piece, whoever else is at it
        if not begin <= place < begin + len(numbers):
            begin = place - place % self._together
            numbers = self._make(begin)
            self._made = begin, numbers
        return numbers[place - begin]

    def _make(self, begin: int) -> Sequence[Tensor]:
        keys = draw_keys(self._keys[begin : begin + self._together], self._draw.number)
        numbers = drawn(self._draw.make, keys, self._first_chain, self._draw.like)
        return torch.unbind_copy(numbers)  # type: ignore[func-returns-value, return-value]
