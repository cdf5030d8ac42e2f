from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.core import Rng, Source
from ebmkit.training.batches import Batches

CPU = torch.device("cpu")


class Numbers(Source):
    """Example i is the number i."""

    shape = (1,)

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: Tensor) -> Tensor:
        return index[:, None].float()


def batches(count: int, size: int, seed: int = 0) -> Batches:
    return Batches(Numbers(count), size=size, rng=Rng(seed), device=CPU)


@pytest.mark.parametrize(("count", "size"), [(10, 3), (10, 10), (7, 20), (1, 4), (12, 4)])
def test_every_example_is_seen_equally_often(count: int, size: int) -> None:
    stream = batches(count, size)
    seen = torch.cat([stream[iteration].positions for iteration in range(count)])
    assert seen.bincount(minlength=count).tolist() == [size] * count


def test_a_batch_depends_on_nothing_but_seed_and_iteration() -> None:
    stream = batches(10, 3)
    forward = [stream[iteration].positions for iteration in range(9)]
    backward = [batches(10, 3)[iteration].positions for iteration in reversed(range(9))]
    assert all(torch.equal(a, b) for a, b in zip(forward, reversed(backward), strict=True))
    assert any(not torch.equal(batches(10, 3, seed=1)[k].positions, forward[k]) for k in range(9))


def test_epochs_differ_in_their_order() -> None:
    stream = batches(50, 50)
    assert not torch.equal(stream[0].positions, stream[1].positions)
    assert torch.equal(stream[0].positions.sort().values, torch.arange(50))


def test_a_batch_carries_the_examples_at_its_positions() -> None:
    batch = batches(10, 4)[2]
    assert torch.equal(batch.x[:, 0], batch.positions.float())


def test_the_fingerprint_tells_other_data_apart() -> None:
    assert Numbers(5).fingerprint() == Numbers(5).fingerprint()
    assert Numbers(5).fingerprint() != Numbers(6).fingerprint()
