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

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, final

import numpy as np
import torch
from torch import Tensor

from ebmkit.messages.brief import brief

__all__ = ["Rng"]

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB

_AHEAD = 256
"""Most steps of a chain whose numbers are drawn together."""

_FIRST = 16
"""Steps that are drawn together at the beginning of a chain whose end is not known."""

_MANY = 64
"""Keys from which on torch hashes them faster than Python."""

_TOGETHER = 2**16
"""Most numbers that are drawn together: 256 KiB in float32, and some eight times that while they are made."""

_BLOCK = 2**18
"""Numbers drawn at a time of a large draw."""

_Words: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]

_Make: TypeAlias = Callable[["_Bits", torch.dtype], Tensor]
"""From random bits for n numbers a row to the numbers, ``(rows, n)``."""


class Draw(NamedTuple):
    """Which draw of a stream, by which labels the stream is folded, and what is made in whose likeness."""

    labels: tuple[int | str, ...]
    number: int
    make: _Make
    like: Tensor

    def __repr__(self) -> str:
        return brief(self)

    def keys(self, streams: Tensor) -> Tensor:
        """The key of this draw in each of some streams, given by their keys, ``(streams,)`` int64."""
        for label in self.labels:
            streams = _all_folded(streams, _signed(_label_word(label)))
        return _draws_folded(streams, self.number)


def _signed(word: int) -> int:
    """The int64 that holds the same 64 bits, because torch has no unsigned arithmetic."""
    return word - (1 << 64) if word >> 63 else word


def _mix_int(word: int) -> int:
    """SplitMix64's output function on one Python integer."""
    word = ((word ^ (word >> 30)) * _MIX_1) & _WORD
    word = ((word ^ (word >> 27)) * _MIX_2) & _WORD
    return word ^ (word >> 31)


def _xor_shifted(words: Tensor, shift: int) -> Tensor:
    """``words ^= words >> shift`` in place, with the logical shift that int64 lacks."""
    return words.bitwise_xor_((words >> shift).bitwise_and_((1 << (64 - shift)) - 1))


def _mix(words: Tensor) -> Tensor:
    """SplitMix64's output function in place; int64 multiplication wraps as the hash wants."""
    _xor_shifted(words, 30).mul_(_signed(_MIX_1))
    _xor_shifted(words, 27).mul_(_signed(_MIX_2))
    return _xor_shifted(words, 31)


@lru_cache(maxsize=256)
def _label_word(label: int | str) -> int:
    if isinstance(label, int):
        return label & _WORD
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "little")


def _folded(key: int, *labels: int | str) -> int:
    for label in labels:
        key = _mix_int((_mix_int((key + _GOLDEN) & _WORD) ^ _label_word(label)) + _GOLDEN & _WORD)
    return key


def _all_folded(keys: Tensor, label: Tensor | int) -> Tensor:
    """``_folded`` of many keys, int64 on the CPU, by one label's word or each by its own.

    In numpy, whose calls cost a quarter of torch's: keys are few.
    """
    golden = np.uint64(_GOLDEN)
    words = label.numpy().view(np.uint64) if isinstance(label, Tensor) else np.uint64(label & _WORD)
    mixed = _mix_array(keys.reshape(-1).numpy().view(np.uint64) + golden) ^ words
    mixed += golden
    return torch.from_numpy(_mix_array(mixed).view(np.int64))


def _mix_array(words: _Words) -> _Words:
    """``_mix`` of a numpy array."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(_MIX_1)
    words ^= words >> np.uint64(27)
    words *= np.uint64(_MIX_2)
    words ^= words >> np.uint64(31)
    return words


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
        >>> rng = Rng(0).fold("revision", 7)
        >>> whole = rng.normal(torch.empty(4, 3))
        >>> upper = Rng(0, first_chain=2).fold("revision", 7).normal(torch.empty(2, 3))
        >>> torch.equal(whole[2:], upper)
        True
    """

    __slots__ = ("_draws", "first_chain", "key")

    def __init__(self, key: int, *, first_chain: int = 0) -> None:
        self.key = key & _WORD
        self.first_chain = first_chain
        self._draws = 0

    def __repr__(self) -> str:
        return f"Rng(key=0x{self.key:016x}, first_chain={self.first_chain})"

    def fold(self, *labels: int | str) -> Rng:
        """A new stream, independent of this one, named by ``labels``; this one is unchanged.

        Examples:
            >>> Rng(1).fold("data", 3).key == Rng(1).fold("data").fold(3).key
            True
        """
        return Rng(_folded(self.key, *labels), first_chain=self.first_chain)

    def steps(self, label: str, count: int | None = None) -> Iterator[Rng]:
        """``fold(label, 0)``, ``fold(label, 1)``, …: the streams of the steps of one chain.

        They draw the same numbers as those. Where a step needs few, the numbers of the next steps are drawn
        along with them, because the calls would take longer than the numbers.

        Args:
            label: of the chain.
            count: how many steps it has, so that no number is drawn for others; None where that is open.
        """
        of_chain, begin, length = _folded(self.key, label), 0, _FIRST if count is None else _AHEAD
        while count is None or begin < count:
            end = begin + length if count is None else min(begin + length, count)
            yield from _Ahead(_step_keys(of_chain, range(begin, end)), self.first_chain)
            begin, length = end, min(2 * length, _AHEAD)

    def of_chain(self, first_chain: int) -> Rng:
        """The same stream with another global index of row 0; 0 is what every process sees alike."""
        return Rng(self.key, first_chain=first_chain)

    def normal(self, like: Tensor) -> Tensor:
        """Independent N(0, 1) numbers of the shape, dtype and device of ``like``, contiguous.

        Row b belongs to chain ``first_chain + b``: ``(B, *S) -> (B, *S)``. The tails reach
        6.66 standard deviations (32 random bits a number).
        """
        return self._draw(_normal, like)

    def uniform(self, like: Tensor) -> Tensor:
        """Independent numbers from (0, 1) of the shape, dtype and device of ``like``.

        0 is never drawn, so a logarithm is safe; in float32 the largest values round to 1.
        """
        return self._draw(_uniform, like)

    def permutation(self, count: int) -> Tensor:
        """A random order of 0..count-1, ``(count,)`` int64 on the CPU: one for all chains."""
        key, self._draws = _draw_key(self.key, self._draws), self._draws + 1
        return _Bits([key], 0, 1, count, torch.device("cpu"))(count)[0].argsort(stable=True)

    def _draw(self, make: _Make, like: Tensor) -> Tensor:
        draw, self._draws = self._draws, self._draws + 1
        return _in_blocks(make, _draw_key(self.key, draw), self.first_chain, like)


@final
class _OfStep(Rng):
    """The stream of one step, whose numbers may have been made with those of other steps."""

    __slots__ = ("_ahead", "_place")

    def __init__(self, key: int, first_chain: int, ahead: _Ahead, place: int) -> None:
        self.key, self.first_chain, self._draws = key, first_chain, 0
        self._ahead, self._place = ahead, place

    def _draw(self, make: _Make, like: Tensor) -> Tensor:
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

    def drawn(self, make: _Make, draw: int, like: Tensor) -> _Drawn | None:
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
        keys = _draw_keys(self._keys[begin : begin + self._together], self._draw.number)
        numbers = _numbers(self._draw.make, keys, self._first_chain, self._draw.like)
        return torch.unbind_copy(numbers)  # type: ignore[func-returns-value, return-value]


@final
class _Bits:
    """64 random bits for each of some numbers of each row of each draw, hashed when called.

    Args:
        keys: one for each draw; a tensor of them, int64 on the device, where they are not known yet.
        first: global index of row 0.
        rows: of one draw.
        numbers: of one row.
        device: where they are made.
    """

    def __init__(
        self, keys: list[int] | Tensor, first: int, rows: int, numbers: int, device: torch.device
    ) -> None:
        self.numbers = numbers
        self._device = device
        chains = torch.arange(first + 1, first + rows + 1, device=device).mul_(_signed(_GOLDEN))
        draws = (
            keys if isinstance(keys, Tensor) else torch.tensor([_signed(key) for key in keys], device=device)
        )
        self._keys = _mix((draws[:, None] + chains).flatten())

    def __call__(self, columns: int) -> Tensor:
        """``(draws * rows, columns)`` int64."""
        positions = torch.arange(1, columns + 1, device=self._device).mul_(_signed(_GOLDEN))
        return _mix(self._keys[:, None] + positions)


def _draw_key(key: int, draw: int) -> int:
    return _folded(key, "draw", draw)


def _draw_keys(keys: list[int], draw: int) -> list[int]:
    """``_draw_key`` of many streams."""
    if len(keys) < _MANY:
        return [_draw_key(key, draw) for key in keys]
    return _unsigned(_draws_folded(torch.tensor(list(map(_signed, keys)), device="cpu"), draw))


def _step_keys(of_chain: int, steps: range) -> list[int]:
    """``_folded(of_chain, step)`` of consecutive steps."""
    if len(steps) < _MANY:
        return [_folded(of_chain, step) for step in steps]
    return _unsigned(_steps_folded(of_chain, steps))


def _draws_folded(streams: Tensor, draw: int) -> Tensor:
    return _all_folded(_all_folded(streams, _signed(_label_word("draw"))), draw)


def _steps_folded(of_chain: int, steps: range) -> Tensor:
    words = torch.arange(steps.start, steps.stop, device="cpu")
    return _all_folded(torch.tensor(_signed(of_chain), device="cpu"), words)


def _unsigned(words: Tensor) -> list[int]:
    return [word & _WORD for word in words.tolist()]


def _in_blocks(make: _Make, key: int, first_chain: int, like: Tensor) -> Tensor:
    """One draw, ``like.shape``; on a processor a few rows at a time, which stay in its caches."""
    rows = max(_BLOCK // max(like[:1].numel(), 1), 1)
    if like.device.type != "cpu" or len(like) <= rows:
        return _numbers(make, [key], first_chain, like)[0]
    out = torch.empty(like.shape, dtype=like.dtype, device=like.device)
    for begin in range(0, len(like), rows):
        block = out[begin : begin + rows]
        block.copy_(_numbers(make, [key], first_chain + begin, block)[0])
    return out


def _numbers(make: _Make, keys: list[int] | Tensor, first_chain: int, like: Tensor) -> Tensor:
    """One draw for each key, ``(len(keys), *like.shape)``."""
    bits = _Bits(keys, first_chain, len(like), like[:1].numel(), like.device)
    dtype = like.dtype if like.dtype == torch.float64 else torch.float32
    return make(bits, dtype).to(like.dtype).reshape(len(keys), *like.shape)


def _normal(bits: _Bits, dtype: torch.dtype) -> Tensor:
    """Two numbers of each 64 bits, by Box and Muller's map."""
    pairs = (bits.numbers + 1) // 2
    words = bits(pairs)
    words = words.view(torch.int32).view(len(words), pairs, 2)
    # 31 bits counted from zero keep the resolution where the logarithm needs it.
    radius = words[..., 0].bitwise_and(0x7FFFFFFF).to(dtype).add_(0.5).mul_(2.0**-31)
    radius.log_().mul_(-2.0).sqrt_()
    angle = words[..., 1].to(dtype).mul_(2.0 * math.pi * 2.0**-32)
    # No ``out=`` of a slice, which cannot be compiled.
    out = torch.stack((angle.cos().mul_(radius), angle.sin_().mul_(radius)), 1)
    return out.view(len(words), -1)[:, : bits.numbers]


def _uniform(bits: _Bits, dtype: torch.dtype) -> Tensor:
    high = (bits(bits.numbers) >> 33).bitwise_and_(0x7FFFFFFF)
    return high.to(dtype).add_(0.5).mul_(2.0**-31)


@final
class NotedRng(Rng):
    """A stream that notes which draws were made of it and of the streams folded from it, in their order."""

    __slots__ = ("_labels", "draws")

    def __init__(self, rng: Rng, labels: tuple[int | str, ...] = (), draws: list[Draw] | None = None) -> None:
        super().__init__(rng.key, first_chain=rng.first_chain)
        self._labels = labels
        self.draws: list[Draw] = [] if draws is None else draws

    def fold(self, *labels: int | str) -> Rng:
        """As ``Rng.fold``."""
        return NotedRng(super().fold(*labels), (*self._labels, *labels), self.draws)

    def _draw(self, make: _Make, like: Tensor) -> Tensor:
        outline = like.new_empty(1).expand(like.shape)  # a shape that takes no memory
        self.draws.append(Draw(self._labels, self._draws, make, outline))
        return super()._draw(make, like)


class RepeatedRng(Rng):
    """Makes the draws that were noted, in the same order, whoever folds it."""

    __slots__ = ()

    def __init__(self) -> None:
        # No key: whoever asks for it would get one that is not this step's.
        self._draws = 0

    def fold(self, *labels: int | str) -> Rng:
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

    def _draw(self, make: _Make, like: Tensor) -> Tensor:
        draw = self._next()
        return _numbers(make, self._words[draw : draw + 1], 0, like)[0]


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

    def _draw(self, make: _Make, like: Tensor) -> Tensor:
        del make, like
        return self._numbers[self._next()]


def draw_words(rng: Rng, label: str, steps: range, draws: Sequence[Draw]) -> Tensor:
    """The words from which ``KeyedRng`` makes what the streams ``rng.fold(label, step)`` would draw.

    Returns:
        ``(steps, draws)`` int64, on the CPU.
    """
    streams = _steps_folded(_folded(rng.key, label), steps)
    words = [draw.keys(streams) for draw in draws]
    shift = _signed(rng.first_chain * _GOLDEN & _WORD)
    return torch.stack(words, 1).add_(shift) if words else streams.new_empty(len(steps), 0)


def draw_numbers(words: Tensor, draws: Sequence[Draw]) -> list[Tensor]:
    """What is made of those words: of each noted draw ``(steps, *like.shape)``."""
    by_draw = zip(draws, words.unbind(1), strict=True)
    return [_numbers(draw.make, of_steps, 0, draw.like) for draw, of_steps in by_draw]
