from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from ebmkit.core import Batch, Chain, CooperativeScheduler, Examples, Rng, Update
from ebmkit_algebra.sampling import Sampling
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearDescriptor, double

SHAPE = (1, 4, 4)


class Images(LinearDescriptor):
    """N(0, I) on images."""

    def __init__(self) -> None:
        super().__init__(torch.zeros(16), 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.flatten(1))


def chains(steps: int = 2, *, noise: bool = True) -> Chain:
    return Chain(Langevin(step_size=0.5, noise=noise), steps)


def batch(count: int = 3, *, seed: int = 0) -> Batch:
    return Batch(double(count, *SHAPE, seed=seed).float(), torch.arange(count))


def iteration(schedule: CooperativeScheduler, data: Batch, number: int) -> tuple[list[Update], Examples]:
    """What one iteration yields, and the examples that it returns."""
    updates, steps = [], schedule.updates(data, rng=Rng(0).fold_in("iteration", number))
    while True:
        try:
            updates.append(next(steps))
        except StopIteration as stop:
            return updates, stop.value


def test_every_iteration_goes_on_where_the_last_one_ended_and_teaches_nobody() -> None:
    schedule = Sampling(Images(), chains(), SHAPE, chains=5)
    before = {name: value.clone() for name, value in schedule.energy.state_dict().items()}
    ends = []
    for number in range(3):
        (update,), examples = iteration(schedule, batch(seed=number), number)
        assert update.loss is None
        assert "revision_drift" in update.stats
        ends.append(examples)
    assert torch.equal(ends[1].proposal, ends[0].revised)
    assert torch.equal(ends[2].proposal, ends[1].revised)
    assert not torch.isclose(ends[1].revised, ends[0].revised).any()
    assert all(torch.equal(value, before[name]) for name, value in schedule.energy.state_dict().items())


def test_chains_without_noise_halve_as_one_long_chain_does() -> None:
    """On N(0, I) a step is x to (1 - δ²/2) x."""
    schedule = Sampling(Images(), chains(2, noise=False), SHAPE, chains=5, noise_std=3.0)
    _, first = iteration(schedule, batch(), 0)
    _, second = iteration(schedule, batch(), 1)
    keep = 1 - 0.5**2 / 2
    assert torch.allclose(second.revised, keep**4 * first.proposal)
    assert 2 < float(first.proposal.std()) < 4


def test_from_data_chain_i_starts_at_example_i_modulo_the_size_of_the_batch() -> None:
    schedule, data = Sampling(Images(), chains(), SHAPE, chains=5, start="data"), batch(3)
    _, examples = iteration(schedule, data, 0)
    assert torch.equal(examples.proposal, data.x[[0, 1, 2, 0, 1]])


@pytest.mark.parametrize("hidden", ["square", "speckle"])
def test_what_is_observed_is_held_to_the_bit_and_what_is_hidden_moves(
    hidden: Literal["square", "speckle"],
) -> None:
    schedule = Sampling(Images(), chains(), SHAPE, chains=5, hidden=hidden, hidden_size=2, hidden_share=0.4)
    data = batch(3)
    _, first = iteration(schedule, data, 0)
    _, second = iteration(schedule, batch(3, seed=7), 1)  # other data, which is not looked at
    known = (schedule.masks > 0).expand(5, *SHAPE)
    if hidden == "square":
        assert (~known).flatten(1).sum(1).tolist() == [4] * 5
    for examples in (first, second):
        for each in (examples.proposal, examples.revised):
            assert torch.equal(each[known], data.x[[0, 1, 2, 0, 1]][known])
        assert not torch.isclose(examples.revised[~known], examples.proposal[~known]).any()


def test_what_it_proposes_are_its_chains_in_turn() -> None:
    schedule = Sampling(Images(), chains(), SHAPE, chains=3)
    _, examples = iteration(schedule, batch(), 0)
    proposed = schedule.propose(7, rng=Rng(1)).x
    assert torch.equal(proposed, examples.revised[[0, 1, 2, 0, 1, 2, 0]])


def test_a_square_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="a hidden square of 5 pixels does not fit into 4x4"):
        Sampling(Images(), chains(), SHAPE, hidden="square", hidden_size=5)
