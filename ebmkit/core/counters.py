"""Keys, and the random numbers that are a function of a key and a position: SplitMix64, counted.

See ``rng``, which hands them out.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias, final

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "GOLDEN",
    "WORD",
    "Bits",
    "Make",
    "all_folded",
    "draw_key",
    "draw_keys",
    "drawn",
    "draws_folded",
    "folded",
    "in_blocks",
    "label_word",
    "normal_numbers",
    "signed",
    "step_keys",
    "steps_folded",
    "uniform_numbers",
]

WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB

_MANY = 64
"""Keys from which on torch hashes them faster than Python."""

_BLOCK = 2**18
"""Numbers drawn at a time of a large draw."""

_Words: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]

Make: TypeAlias = Callable[["Bits", torch.dtype], Tensor]
"""From random bits for n numbers per row to the numbers, ``(rows, n)``."""


def signed(word: int) -> int:
    """The int64 that holds the same 64 bits, because torch has no unsigned arithmetic."""
    return word - (1 << 64) if word >> 63 else word


def _mix_int(word: int) -> int:
    """SplitMix64's output function on one Python integer."""
    word = ((word ^ (word >> 30)) * _MIX_1) & WORD
    word = ((word ^ (word >> 27)) * _MIX_2) & WORD
    return word ^ (word >> 31)


def _xor_shifted(words: Tensor, shift: int) -> Tensor:
    """``words ^= words >> shift`` in place, with the logical shift that int64 lacks."""
    return words.bitwise_xor_((words >> shift).bitwise_and_((1 << (64 - shift)) - 1))


def _mix(words: Tensor) -> Tensor:
    """SplitMix64's output function in place; int64 multiplication wraps as the hash wants."""
    _xor_shifted(words, 30).mul_(signed(_MIX_1))
    _xor_shifted(words, 27).mul_(signed(_MIX_2))
    return _xor_shifted(words, 31)


@lru_cache(maxsize=256)
def label_word(label: int | str) -> int:
    """The word of a label: of a text its hash."""
    if isinstance(label, int):
        return label & WORD
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "little")


def folded(key: int, *labels: int | str) -> int:
    """The key of a stream that labels name."""
    for label in labels:
        key = _mix_int((_mix_int((key + GOLDEN) & WORD) ^ label_word(label)) + GOLDEN & WORD)
    return key


def all_folded(keys: Tensor, label: Tensor | int) -> Tensor:
    """``folded`` of many keys, int64 on the CPU, by one label's word or each by its own.

    In numpy, whose calls cost a quarter of torch's: keys are few.
    """
    golden = np.uint64(GOLDEN)
    words = label.numpy().view(np.uint64) if isinstance(label, Tensor) else np.uint64(label & WORD)
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


@final
class Bits:
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
        chains = torch.arange(first + 1, first + rows + 1, device=device).mul_(signed(GOLDEN))
        draws = (
            keys if isinstance(keys, Tensor) else torch.tensor([signed(key) for key in keys], device=device)
        )
        self._keys = _mix((draws[:, None] + chains).flatten())

    def __call__(self, columns: int) -> Tensor:
        """``(draws * rows, columns)`` int64."""
        positions = torch.arange(1, columns + 1, device=self._device).mul_(signed(GOLDEN))
        return _mix(self._keys[:, None] + positions)


def draw_key(key: int, draw: int) -> int:
    """The key of one draw of a stream."""
    return folded(key, "draw", draw)


def draw_keys(keys: list[int], draw: int) -> list[int]:
    """``draw_key`` of many streams."""
    if len(keys) < _MANY:
        return [draw_key(key, draw) for key in keys]
    return _unsigned(draws_folded(torch.tensor(list(map(signed, keys)), device="cpu"), draw))


def step_keys(of_chain: int, steps: range) -> list[int]:
    """``folded(of_chain, step)`` of consecutive steps."""
    if len(steps) < _MANY:
        return [folded(of_chain, step) for step in steps]
    return _unsigned(steps_folded(of_chain, steps))


def draws_folded(streams: Tensor, draw: int) -> Tensor:
    """``draw_key`` of many streams, int64."""
    return all_folded(all_folded(streams, signed(label_word("draw"))), draw)


def steps_folded(of_chain: int, steps: range) -> Tensor:
    """``folded(of_chain, step)`` of consecutive steps, int64."""
    words = torch.arange(steps.start, steps.stop, device="cpu")
    return all_folded(torch.tensor(signed(of_chain), device="cpu"), words)


def _unsigned(words: Tensor) -> list[int]:
    return [word & WORD for word in words.tolist()]


def in_blocks(make: Make, key: int, first_chain: int, like: Tensor) -> Tensor:
    """One draw, ``like.shape``; on a processor a few rows at a time, which stay in its caches."""
    rows = max(_BLOCK // max(like[:1].numel(), 1), 1)
    if like.device.type != "cpu" or len(like) <= rows:
        return drawn(make, [key], first_chain, like)[0]
    out = torch.empty(like.shape, dtype=like.dtype, device=like.device)
    for begin in range(0, len(like), rows):
        block = out[begin : begin + rows]
        block.copy_(drawn(make, [key], first_chain + begin, block)[0])
    return out


def drawn(make: Make, keys: list[int] | Tensor, first_chain: int, like: Tensor) -> Tensor:
    """One draw for each key, ``(len(keys), *like.shape)``."""
    bits = Bits(keys, first_chain, len(like), like[:1].numel(), like.device)
    dtype = like.dtype if like.dtype == torch.float64 else torch.float32
    return make(bits, dtype).to(like.dtype).reshape(len(keys), *like.shape)


def normal_numbers(bits: Bits, dtype: torch.dtype) -> Tensor:
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


def uniform_numbers(bits: Bits, dtype: torch.dtype) -> Tensor:
    """Numbers of (0, 1), by 31 bits each."""
    high = (bits(bits.numbers) >> 33).bitwise_and_(0x7FFFFFFF)
    return high.to(dtype).add_(0.5).mul_(2.0**-31)
