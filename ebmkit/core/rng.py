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

import torch
from torch import Tensor

__all__ = ["Rng"]

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB


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


def _label_word(label: int | str) -> int:
    if isinstance(label, int):
        return label & _WORD
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "little")


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
        key = self.key
        for label in labels:
            key = _mix_int((_mix_int((key + _GOLDEN) & _WORD) ^ _label_word(label)) + _GOLDEN & _WORD)
        return Rng(key, first_chain=self.first_chain)

    def normal(self, like: Tensor) -> Tensor:
        """Independent N(0, 1) numbers of the shape, dtype and device of ``like``, contiguous.

        Row b belongs to chain ``first_chain + b``: ``(B, *S) -> (B, *S)``. The tails reach
        6.66 standard deviations (32 random bits a number).
        """
        rows = like.shape[0]
        numbers = like[:1].numel()
        pairs = (numbers + 1) // 2
        bits = self._bits(rows, pairs, like.device).view(torch.int32).view(rows, pairs, 2)
        dtype = like.dtype if like.dtype == torch.float64 else torch.float32
        # 31 bits counted from zero keep the resolution where the logarithm needs it.
        radius = bits[..., 0].bitwise_and(0x7FFFFFFF).to(dtype).add_(0.5).mul_(2.0**-31)
        radius.log_().mul_(-2.0).sqrt_()
        angle = bits[..., 1].to(dtype).mul_(2.0 * math.pi * 2.0**-32)
        out = torch.empty(rows, 2, pairs, dtype=dtype, device=like.device)
        torch.mul(radius, angle.cos(), out=out[:, 0])
        torch.mul(radius, angle.sin_(), out=out[:, 1])
        return out.view(rows, -1)[:, :numbers].to(like.dtype).reshape(like.shape)

    def uniform(self, like: Tensor) -> Tensor:
        """Independent numbers from (0, 1) of the shape, dtype and device of ``like``.

        0 is never drawn, so a logarithm is safe; in float32 the largest values round to 1.
        """
        rows = like.shape[0]
        numbers = like[:1].numel()
        bits = self._bits(rows, numbers, like.device)
        dtype = like.dtype if like.dtype == torch.float64 else torch.float32
        high = (bits >> 33).bitwise_and_(0x7FFFFFFF)
        return high.to(dtype).add_(0.5).mul_(2.0**-31).to(like.dtype).reshape(like.shape)

    def permutation(self, count: int) -> Tensor:
        """A random order of 0..count-1, ``(count,)`` int64 on the CPU: one for all chains."""
        whole = Rng(self.key)
        whole._draws, self._draws = self._draws, self._draws + 1
        return whole._bits(1, count, torch.device("cpu"))[0].argsort(stable=True)

    def _bits(self, rows: int, columns: int, device: torch.device) -> Tensor:
        """64 random bits a number for one draw: ``(rows, columns)`` int64."""
        draw = self.fold("draw", self._draws)
        self._draws += 1
        chains = torch.arange(self.first_chain + 1, self.first_chain + rows + 1, device=device)
        keys = _mix(chains.mul_(_signed(_GOLDEN)).add_(_signed(draw.key)))
        positions = torch.arange(1, columns + 1, device=device).mul_(_signed(_GOLDEN))
        return _mix(keys[:, None] + positions)
