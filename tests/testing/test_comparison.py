"""Chains compared with the law that is claimed: what is skipped, what is judged, and at which rate."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor

from ebmkit.testing import CheckFailedError, Linear, LinearLaw, Outcome, SamplerClaims, check
from ebmkit.testing.comparison import count_of, gaussian_law, other_law, rng_of
from ebmkit.testing.report import CheckSkippedError
from ebmkit.testing.subject import Subject
from ebmkit.testing.targets import Banana, Gaussian
from ebmkit_langevin.langevin import Langevin
from tests.testing.mutants import (
    ADAPTING,
    Adapting,
    Adjusted,
)


def test_without_a_law_the_statistics_are_skipped_and_say_so() -> None:
    (result,) = check(Adjusted, SamplerClaims(), quick=True, only=["law-gaussian"]).results
    assert result.outcome is Outcome.SKIPPED
    assert "no law is claimed" in result.detail


def test_the_laws_share_one_false_alarm_rate() -> None:
    from ebmkit.testing import battery, comparison, laws

    assert len(laws.CHECKS) == comparison.LAWS
    assert comparison.share_of_one() * len(laws.CHECKS) == pytest.approx(battery.FALSE_ALARM)


def test_an_adaptation_is_kept_where_positions_are_drawn_anew() -> None:
    forgotten = attrs.evolve(ADAPTING, adapted=("tunning",))
    (right,) = check(Adapting, ADAPTING, quick=True, only=["law-banana"]).results
    (wrong,) = check(Adapting, forgotten, quick=True, only=["law-banana"]).results
    assert right.outcome is Outcome.PASSED
    assert (wrong.outcome, "'tunning'" in wrong.detail) == (Outcome.FAILED, True)


def subject(law: Linear, *, quick: bool = True, seed: int = 0, **settings: Any) -> Subject[SamplerClaims]:
    return Subject(Langevin, SamplerClaims(law=law, settings={"step_size": 0.8, **settings}), quick, seed)


def still(factor: float) -> Linear:
    """The law of descent, with its pull times a factor."""

    def step(sampler: Langevin, precision: Tensor) -> LinearLaw:
        unit = torch.eye(len(precision), dtype=torch.float64)
        return LinearLaw(unit - factor * sampler.step_size**2 / 2 * precision, 0 * unit)

    return Linear(step)


def test_chains_without_noise_are_where_the_law_puts_them_to_rounding() -> None:
    """A standard deviation of 1 around 1.5, begun 3 away: a pull of 0.32 that is 1 % off is 0.0096 off."""

    def narrow() -> Gaussian:
        return Gaussian(torch.tensor([1.5]).double(), torch.ones(1, 1).double(), (1,))

    start = abs(float(narrow().start(1)[0, 0]) - 1.5)
    assert gaussian_law(narrow, subject(still(1.0), noise=False)) == "6,000 chains, 2 settings"
    wrong = f"after 1 step: a position is {0.01 * 0.32 * start:.3g} from where the law puts it"
    with pytest.raises(CheckFailedError, match=re.escape(wrong)):
        gaussian_law(narrow, subject(still(1.01), noise=False))


def test_a_step_that_sees_more_than_one_gradient_has_a_law_on_gaussians_alone() -> None:
    def curved(sampler: Langevin, precision: Tensor) -> LinearLaw:
        return LinearLaw(precision @ precision, torch.eye(len(precision), dtype=torch.float64))

    with pytest.raises(CheckSkippedError, match="so that Gaussians alone have a law"):
        other_law(Banana(), subject(Linear(curved)))


def test_quick_is_fewer_chains_and_another_label_other_random_numbers() -> None:
    assert count_of(subject(still(1.0))) < count_of(subject(still(1.0), quick=False))
    keys = {rng_of(subject(still(1.0), seed=seed), label).key for seed in (0, 1) for label in ("a", "b")}
    assert len(keys) == 4
