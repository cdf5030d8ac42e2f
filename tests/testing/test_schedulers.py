"""What the checks of schedules refuse, and what they say of it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch
from torch import Tensor

from ebmkit.core import (
    CooperativeScheduler,
    Energy,
    Examples,
    Gt,
    Proposal,
    Update,
    contrastive_divergence,
)
from ebmkit.testing import SchedulerClaims, check
from tests.testing.refusing import assert_all_look, assert_refused, checked, each_of

SHAPE = (1, 4, 4)

CLAIMS = SchedulerClaims()


class Schedule(CooperativeScheduler):
    """Right: one update of an energy by chains that begin at the data."""

    part = "energy"

    def __init__(self, energy: Energy, revision: Any) -> None:
        super().__init__()
        self.energy = energy
        self.revision = revision

    def updates(self, batch: Any, *, rng: Any) -> Any:
        start = self.start(batch.x, rng)
        revised = self.revision(self.energy, start, rng=rng.fold_in("revision")).x
        yield Update(self.part, contrastive_divergence(self.energy(batch.x), self.energy(revised)))
        return Examples(batch.x, start, revised)

    def start(self, x: Tensor, rng: Any) -> Tensor:
        return x

    def propose(self, count: int, *, rng: Any) -> Proposal:
        return Proposal(rng.normal(torch.empty(count, *SHAPE)))


class WrongPart(Schedule):
    part = "descriptor"


class GlobalNoise(Schedule):
    def start(self, x: Tensor, rng: Any) -> Tensor:
        return torch.randn_like(x)


class ForgetsItsChains(Schedule):
    chains: Tensor | None = None

    def start(self, x: Tensor, rng: Any) -> Tensor:
        self.chains = x if self.chains is None else 0.9 * self.chains + 0.1 * x
        return self.chains


class OutOfRange(Schedule):
    """Its own default is out of its range.

    Args:
        width: above 0.
    """

    def __init__(self, energy: Energy, revision: Any, *, width: Annotated[float, Gt(0)] = 0.0) -> None:
        super().__init__(energy, revision)
        self.width = width


class LearnsFromItself(Schedule):
    """Takes the energies of the data from those of the data: a loss of 0 whatever the weights are."""

    def updates(self, batch: Any, *, rng: Any) -> Any:
        start = self.start(batch.x, rng)
        yield Update(self.part, contrastive_divergence(self.energy(batch.x), self.energy(start)))
        return Examples(batch.x, start, start)


class ProposesOneMore(Schedule):
    def propose(self, count: int, *, rng: Any) -> Proposal:
        return super().propose(count + 1, rng=rng)


WRONG = [
    (OutOfRange, CLAIMS, "parameters"),
    (WrongPart, CLAIMS, "updates"),
    (LearnsFromItself, CLAIMS, "learns"),
    (GlobalNoise, CLAIMS, "deterministic"),
    (ForgetsItsChains, CLAIMS, "resume"),
    (ProposesOneMore, CLAIMS, "propose"),
]


@each_of(WRONG)
def test_a_wrong_part_is_refused(component: type, claims: Any, killer: str) -> None:
    assert_refused(component, claims, killer)


def test_every_check_refuses_a_wrong_part() -> None:
    assert_all_look(WRONG, "scheduler")


def test_their_right_original_passes() -> None:
    report = check(Schedule, CLAIMS)
    assert report.passed, report


SAID = [
    (WrongPart, "updates", "update.part is 'descriptor', not a part of the schedule"),
    (Schedule, "updates", "energy"),
    (LearnsFromItself, "learns", "energy has not learned"),
    (ProposesOneMore, "propose", "3 proposals have the shape (4, 1, 4, 4)"),
    (Schedule, "resume", "2 tensors"),
]


@pytest.mark.parametrize(("component", "name", "said"), SAID)
def test_what_is_wrong_is_told_with_what_was_seen(component: type, name: str, said: str) -> None:
    assert checked(component, CLAIMS, name).detail == said
