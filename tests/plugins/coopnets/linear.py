"""A linear descriptor and generator, and one iteration of any schedule."""

from __future__ import annotations

import torch

from ebmkit.core import Batch, Chain, CooperativeScheduler, Examples, Rng, Update
from ebmkit_langevin.langevin import Langevin
from tests.models import LinearDescriptor, LinearGenerator, double

STD, SIGMA = 0.5, 0.3


def parts() -> tuple[LinearDescriptor, LinearGenerator]:
    return LinearDescriptor(double(4), STD), LinearGenerator(double(4, 2, seed=1), double(4, seed=2), SIGMA)


def batch(count: int = 5, seed: int = 7) -> Batch:
    return Batch(double(count, 4, seed=seed), torch.arange(count))


def revision(steps: int = 6, *, noise: bool = True) -> Chain:
    return Chain(Langevin(step_size=0.3, noise=noise), steps)


def one_iteration(schedule: CooperativeScheduler, data: Batch, key: int = 0) -> tuple[list[Update], Examples]:
    """Run an iteration, back-propagating each update and taking no step."""
    updates: list[Update] = []
    iterator = schedule.updates(data, rng=Rng(key))
    while True:
        try:
            update = next(iterator)
        except StopIteration as finished:
            return updates, finished.value
        update.loss.backward()  # type: ignore[no-untyped-call]
        updates.append(update)
