"""What the checks of laws take and refuse, on samplers whose law needs no chain."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from ebmkit.core import EnergyFn, Info, Position, Rng, Sampler
from ebmkit.testing import Exact, Outcome, Result, SamplerClaims, check
from ebmkit.testing.targets import Mixture

CLAIMS = SamplerClaims(law=Exact(), steps=1)


@attrs.frozen(kw_only=True)
class Fresh(Sampler):
    """N(0, 1) anew at each step, whatever the energy says: exact on that law alone."""

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Position, Info]:
        return Position(rng.normal(state.x)), {}


@attrs.frozen(kw_only=True)
class Still(Sampler):
    """Stays where it is: leaves every law as it is, and forgets nothing."""

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Position, Info]:
        return Position(state.x.clone()), {}


@attrs.frozen(kw_only=True)
class SharesItsSeed(Fresh):
    """Half of each chain's number is the same for all of them."""

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Position, Info]:
        shared = Rng(rng.fold_in("shared").key).normal(state.x[:1])
        return Position((rng.normal(state.x) + shared) / 2**0.5), {}


@attrs.frozen(kw_only=True)
class Draws(Sampler):
    """Draws from the mixture of far modes."""

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Position, Info]:
        return Position(Mixture(distance=3.0, std=1.0).draw(len(state.x), rng)), {}


def result(component: type, name: str, claims: SamplerClaims = CLAIMS) -> Result:
    (found,) = check(component, claims, quick=True, only=[name]).results
    return found


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("law-scalar", Outcome.PASSED),
        ("law-gaussian", Outcome.FAILED),
        ("law-correlated-gaussian", Outcome.FAILED),
        ("law-log-exponential", Outcome.FAILED),
        ("law-mixture", Outcome.FAILED),
        ("law-banana", Outcome.FAILED),
        ("law-funnel", Outcome.FAILED),
    ],
)
def test_fresh_normal_numbers_have_the_law_of_one_target_alone(name: str, outcome: Outcome) -> None:
    assert result(Fresh, name).outcome is outcome


def test_who_never_moves_keeps_every_law_and_is_caught_by_the_far_start() -> None:
    assert result(Still, "law-funnel").outcome is Outcome.PASSED
    assert result(Still, "law-scalar").outcome is Outcome.FAILED
    assert result(Still, "law-independence").detail == "no chain has moved after two steps"


def test_numbers_that_chains_share_are_seen_between_seeds() -> None:
    assert result(Fresh, "law-independence").detail == "50 seeds of 200 chains"
    said = result(SharesItsSeed, "law-independence").detail
    assert "the spread of the means of their positions over seeds" in said


def test_a_far_mode_is_asked_for_only_where_it_is_claimed() -> None:
    crosses = attrs.evolve(CLAIMS, crosses_modes=True)
    assert result(Draws, "law-far-modes").outcome is Outcome.SKIPPED
    assert result(Draws, "law-far-modes", crosses).outcome is Outcome.PASSED
    assert result(Still, "law-far-modes", crosses).outcome is Outcome.FAILED


def test_who_claims_to_draw_nothing_shares_nothing() -> None:
    drawless = attrs.evolve(CLAIMS, random=False)
    assert result(Still, "law-independence", drawless).detail == "random=False is claimed"
