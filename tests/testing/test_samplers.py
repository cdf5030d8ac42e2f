"""How samplers are built and walked for their checks, and what is said of what they return."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import torch

from ebmkit.core import EnergyFn, Info, Position, Rng, Sampler, run_chain
from ebmkit.testing import Outcome, SamplerClaims, check
from ebmkit.testing.probes import bowl
from ebmkit.testing.report import CheckFailedError
from ebmkit.testing.samplers import build, start, states
from ebmkit.testing.subject import Subject
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.mala import MALA
from tests.testing.mutants import MUTANTS


def test_a_step_that_the_claims_leave_open_is_large() -> None:
    """The errors of a wrong sampler are as small as its steps."""
    for settings, changes, step_size in (
        ({}, {}, 0.8),
        ({"step_size": 0.3}, {}, 0.3),
        ({"step_size": 0.3}, {"step_size": 0.5}, 0.5),
        ({}, {"temperature": 2.0}, 0.8),
    ):
        sampler: Any = build(Subject(Langevin, SamplerClaims(settings=settings)), **changes)
        assert sampler.step_size == step_size


def test_what_is_no_sampler_is_told_so() -> None:
    with pytest.raises(CheckFailedError, match=r"^int does not inherit from Sampler$"):
        build(Subject(lambda: 3, SamplerClaims()))


@pytest.mark.parametrize(
    "sampler", [Langevin(step_size=0.5), MALA(step_size=0.5)], ids=lambda each: type(each).__name__
)
def test_the_states_of_a_chain_are_those_that_it_goes_through(sampler: Sampler) -> None:
    walked = [here.x for here in states(sampler, bowl, start(), 4, Rng(5))]
    for steps, x in enumerate(walked, start=1):
        assert torch.equal(x, run_chain(sampler, bowl, start(), steps=steps, rng=Rng(5)).x)


def test_a_chain_goes_on_from_a_state_as_from_positions() -> None:
    sampler = MALA(step_size=0.5)
    with torch.no_grad():
        here = sampler.init(bowl, start())
    ends = [[each.x for each in states(sampler, bowl, begin, 3)] for begin in (here, start())]
    assert all(map(torch.equal, *ends))


def test_chains_begin_at_the_same_numbers_whatever_their_type_and_number() -> None:
    assert start().dtype == torch.float64
    assert torch.equal(start(3, (2, 2)), start(8, (2, 2))[:3])
    assert torch.allclose(start(4, (), torch.float32).double(), start(4, ()), atol=1e-6)


@attrs.frozen(kw_only=True)
class Remembers(Langevin):
    seen: list[Any] = attrs.field(factory=list)

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Position, Info]:
        self.seen.append(1)
        return super().step(energy, state, rng)


@attrs.frozen(kw_only=True)
class Dithers(Sampler):
    """Draws, and claims that it does not."""

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Position, Info]:
        return Position(state.x + rng.normal(state.x)), {}


@pytest.mark.parametrize(
    ("component", "claims", "name", "said"),
    [
        (MALA, SamplerClaims(), "state", "x, energy, gradient, tuning"),
        (MALA, SamplerClaims(), "cached-values", "energy, gradient"),
        (Langevin, SamplerClaims(settings={"noise": False}, random=False), "other-seed", "draws nothing"),
        (
            Dithers,
            SamplerClaims(random=False),
            "other-seed",
            "random=False is claimed, but another seed gives other positions",
        ),
        (
            Langevin,
            SamplerClaims(settings={"noise": False}),
            "other-seed",
            "64 of 64 chains end the same under another seed",
        ),
        (
            Remembers,
            SamplerClaims(),
            "no-hidden-state",
            "these attributes changed, move them into the state: seen",
        ),
    ],
)
def test_what_was_seen_is_said(component: type, claims: SamplerClaims, name: str, said: str) -> None:
    (result,) = check(component, claims, only=[name]).results
    assert result.detail == said


def test_a_state_that_caches_nothing_is_not_asked_for_it() -> None:
    (result,) = check(Langevin, SamplerClaims(), only=["cached-values"]).results
    assert (result.outcome, result.detail) == (Outcome.SKIPPED, "the state caches neither")


def test_of_the_weights_that_a_sampler_touches_the_gradient_is_named() -> None:
    mutant = MUTANTS["BackwardFillsWeights"]
    (result,) = check(mutant.component, mutant.claims, only=["energy-untouched"]).results
    assert result.detail == "a step changed the energy's: scale.grad"
