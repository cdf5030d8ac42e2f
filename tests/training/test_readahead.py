from __future__ import annotations

import time
from threading import Lock

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng
from ebmkit.training.readahead import ReadAhead

EXAMPLES = torch.arange(40).float().reshape(20, 2)


def positions(number: int) -> Tensor:
    return (Rng(7).fold_in(number).uniform(torch.empty(9)) * 20).long()


def slowly(index: Tensor) -> Tensor:
    """Earlier pieces take longer than later ones."""
    time.sleep(0.002 * float(index[0]) / 20 if len(index) else 0)
    return EXAMPLES[index]


@pytest.mark.parametrize("threads", [1, 2, 5, 16])
def test_a_batch_depends_on_its_number_alone(threads: int) -> None:
    """In the order of a training, and in that of one which goes back, skips and repeats."""
    ahead = ReadAhead(slowly, threads)
    for number in (0, 1, 2, 3, 2, 10, 11, 0, 0):
        assert torch.equal(ahead.batch(number, positions), EXAMPLES[positions(number)])


def test_the_next_two_batches_are_read_already_and_nothing_is_read_twice() -> None:
    read: list[tuple[int, ...]] = []
    lock = Lock()

    def noted(index: Tensor) -> Tensor:
        with lock:
            read.append(tuple(index.tolist()))
        return EXAMPLES[index]

    ahead = ReadAhead(noted, 1)
    for number in range(4):
        ahead.batch(number, positions)
    ahead._pool.shutdown(wait=True)
    assert read == [tuple(positions(number).tolist()) for number in range(6)]


def test_at_most_three_batches_are_held() -> None:
    ahead = ReadAhead(slowly, 2)
    for number in (0, 5, 1, 100, 3):
        ahead.batch(number, positions)
        assert set(ahead._pending) == {number + 1, number + 2}


def test_what_reading_raises_is_raised_at_its_own_batch() -> None:
    def broken(index: Tensor) -> Tensor:
        if bool((index == int(positions(2)[0])).any()) and torch.equal(index, positions(2)):
            raise OSError("unreadable")
        return EXAMPLES[index]

    ahead = ReadAhead(broken, 1)
    for number in (0, 1):
        assert torch.equal(ahead.batch(number, positions), EXAMPLES[positions(number)])
    with pytest.raises(OSError, match="unreadable"):
        ahead.batch(2, positions)
    assert torch.equal(ahead.batch(3, positions), EXAMPLES[positions(3)])
