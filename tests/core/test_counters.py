from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.core.counters import (
    WORD,
    Bits,
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
    steps_folded,
    uniform_numbers,
)

CPU = torch.device("cpu")
KEYS = [0, 1, 7, 2**63, WORD, 0x9E3779B97F4A7C15]


def splitmix(state: int) -> Iterator[int]:
    """SplitMix64 as Steele, Lea and Flood, 2014, and Vigna's C text have it."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        yield z ^ (z >> 31)


@pytest.mark.parametrize("key", KEYS)
def test_each_row_is_a_stream_of_splitmix_whose_seed_is_a_number_of_the_keys_stream(key: int) -> None:
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert list(islice(splitmix(0), 3)) == published
    found = Bits([key], 2, 3, 5, CPU)(5)
    seeds = list(islice(splitmix(key), 2, 5))
    assert [[word & WORD for word in row] for row in found.tolist()] == [
        list(islice(splitmix(seed), 5)) for seed in seeds
    ]


def test_several_draws_lie_one_after_the_other() -> None:
    together = Bits(KEYS, 4, 3, 7, CPU)(7).view(len(KEYS), 3, 7)
    for key, found in zip(KEYS, together, strict=True):
        assert torch.equal(found, Bits([key], 4, 3, 7, CPU)(7))
    words = torch.tensor([signed(key) for key in KEYS])
    assert torch.equal(Bits(words, 4, 3, 7, CPU)(7), together.flatten(0, 1))


@pytest.mark.parametrize("label", [0, 5, -1, 2**63 + 1, "draw", "step", "a label of some length"])
def test_many_keys_are_folded_as_one_is(label: int | str) -> None:
    words = torch.tensor([signed(key) for key in KEYS])
    found = all_folded(words, signed(label_word(label)))
    assert [word & WORD for word in found.tolist()] == [folded(key, label) for key in KEYS]
    assert words.tolist() == [signed(key) for key in KEYS]


def test_labels_are_told_apart_by_their_order_and_kind() -> None:
    keys = {folded(3, *labels) for labels in ((1, 2), (2, 1), ("1", 2), (1,), ("12",), (12,), ())}
    assert len(keys) == 7
    assert folded(folded(3, 1), 2) == folded(3, 1, 2)


@pytest.mark.parametrize("count", [1, 63, 64, 200])
def test_few_keys_and_many_are_hashed_alike(count: int) -> None:
    """Few of them in Python's numbers, many in an array's."""
    steps, streams = range(5, 5 + count), [folded(9, k) for k in range(count)]
    assert step_keys(2**64 - 3, steps) == [folded(2**64 - 3, step) for step in steps]
    assert draw_keys(streams, 4) == [draw_key(key, 4) for key in streams]
    assert [word & WORD for word in steps_folded(9, steps).tolist()] == step_keys(9, steps)
    words = torch.tensor([signed(key) for key in streams])
    assert [word & WORD for word in draws_folded(words, 4).tolist()] == draw_keys(streams, 4)


def test_a_signed_word_has_the_same_bits() -> None:
    assert [signed(word) for word in (0, 1, 2**63 - 1, 2**63, WORD)] == [0, 1, 2**63 - 1, -(2**63), -1]


class Filled:
    """Random bits that are all alike."""

    def __init__(self, word: int, numbers: int) -> None:
        self.word, self.numbers = word, numbers

    def __call__(self, columns: int) -> Tensor:
        return torch.full((2, columns), self.word)


@pytest.mark.parametrize("word", [0, -1, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_bits_make_a_number_that_is_not_finite(word: int, dtype: torch.dtype) -> None:
    bits: Any = Filled(word, 5)
    normal, uniform = normal_numbers(bits, dtype), uniform_numbers(bits, dtype)
    assert normal.shape == uniform.shape == (2, 5)
    assert normal.abs().max() <= 6.67  # √(2 log 2³²), and no bits reach further
    assert uniform.min() > 0
    assert uniform.max() < 1 or dtype == torch.float32
    assert uniform.log().isfinite().all()


def test_pairs_of_normal_numbers_share_their_radius() -> None:
    """By Box and Muller: the squares of a pair add up to -2 log u; an odd number of them leaves one out."""
    even, odd = (Bits([8], 0, 4, numbers, CPU) for numbers in (10, 9))
    found = normal_numbers(even, torch.float64)
    radius = found.view(4, 2, 5).square().sum(1)
    u = (even(5) & 0x7FFFFFFF).double().add(0.5) / 2**31
    assert torch.allclose(radius, -2 * u.log(), rtol=1e-12)
    assert torch.equal(normal_numbers(odd, torch.float64), found[:, :9])


def test_a_large_draw_is_made_in_blocks_of_the_numbers_of_the_whole() -> None:
    like = torch.empty(5, 70_000)
    assert torch.equal(in_blocks(uniform_numbers, 3, 11, like), drawn(uniform_numbers, [3], 11, like)[0])
    half = drawn(normal_numbers, [3, 4], 0, torch.empty(2, 3, dtype=torch.bfloat16))
    assert half.shape == (2, 2, 3)
    assert torch.equal(half, drawn(normal_numbers, [3, 4], 0, torch.empty(2, 3)).bfloat16())
