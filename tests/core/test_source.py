from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from ebmkit.core import Rng, Source, TensorSource


class Rows(Source):
    """Rows that notes how many are asked for at a time."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.shape = x, tuple(x.shape[1:])
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor) -> Tensor:
        self.asked.append(len(index))
        return self.x[index]


def numbers(count: int) -> Tensor:
    return Rng(1).normal(torch.empty(count, 2, 3))


def test_the_fingerprint_is_that_of_the_bytes_after_number_and_shape() -> None:
    x = numbers(10)
    expected = hashlib.sha256(b"(10, (2, 3))" + x.numpy().tobytes()).hexdigest()
    assert TensorSource(x).fingerprint() == expected


def test_large_data_are_read_a_block_at_a_time_and_all_of_them() -> None:
    x = numbers(700)
    source = Rows(x)
    assert source.fingerprint() == hashlib.sha256(b"(700, (2, 3))" + x.numpy().tobytes()).hexdigest()
    assert sum(source.asked) == 700
    assert max(source.asked) <= 256


def test_one_bit_the_order_the_number_and_the_shape_change_it() -> None:
    x = numbers(10)
    bit = x.clone()
    bit.view(torch.int32)[9, 1, 2] ^= 1
    others = [bit, x.flip(0), x[:9], x.reshape(10, 3, 2)]
    found = {TensorSource(each).fingerprint() for each in (x, *others)}
    assert len(found) == 1 + len(others)


def test_a_source_says_nothing_of_conditions_threads_and_classes_unless_it_has_them() -> None:
    source = Rows(numbers(3))
    assert source.condition(torch.tensor([0])) is None
    assert (source.concurrent, source.notes, source.classes) == (False, (), ())
