"""What each kind of part promises, on parts of which it is plain which promise they break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Encoder, Energy, EnergyFn, Gaussian, Info, LatentGenerator, Position, Rng, Sampler
from ebmkit.run.promises import (
    FaultError,
    TargetFailedError,
    compare,
    look_at_encoder,
    look_at_energy,
    look_at_generator,
    look_at_sampler,
)
from ebmkit.testing.parts import TinyEnergy, TinyGenerator
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.mala import MALA

SHAPE = (2, 3)
X = torch.linspace(-1, 1, 24).view(4, *SHAPE)


@attrs.frozen(kw_only=True)
class Moves(Sampler):
    """One move, whatever the energy says."""

    move: Callable[[Tensor], Any]
    info: Any = attrs.field(factory=dict)

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Position, Info]:
        return Position(self.move(state.x)), self.info


def look(sampler: Sampler, energy: EnergyFn | None = None, *, steps: int = 3) -> None:
    look_at_sampler(sampler, energy or TinyEnergy(SHAPE), X.clone(), steps=steps, rng=Rng(0))


def test_right_parts_are_left_alone_and_as_they_are() -> None:
    energy, generator = TinyEnergy(SHAPE), TinyGenerator(SHAPE)
    before = torch.random.get_rng_state()
    look_at_energy(energy, X)
    look_at_generator(generator, torch.zeros(4, 3), X)
    for sampler in (Langevin(step_size=0.1), MALA(step_size=0.1)):
        look(sampler, energy)
    assert (energy.training, generator.training) == (True, True)
    assert all(each.grad is None for each in (*energy.parameters(), *generator.parameters()))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_parts_are_asked_in_the_mode_in_which_they_are_used() -> None:
    class Watched(TinyEnergy):
        seen: list[bool]

        def forward(self, x: Tensor) -> Tensor:
            self.seen = [*getattr(self, "seen", []), self.training]
            return super().forward(x)

    energy = Watched(SHAPE)
    look_at_energy(energy, X)
    look(Langevin(step_size=0.1), energy)
    assert {*energy.seen} == {False}
    assert energy.training


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3.0, "returned a float, not a tensor"),
        (X[0], r"returned something of shape \(2, 3\), where \(4, 2, 3\) is promised"),
        (X.long(), "returned something of dtype torch.int64, where a floating-point type is promised"),
        (X / 0, "returned something of numbers that are not finite, from ones that are"),
    ],
)
def test_what_was_returned_is_held_against_what_was_promised(given: Any, said: str) -> None:
    with pytest.raises(FaultError, match=f"^{said}$"):
        compare(given, shape=(4, *SHAPE))


def test_a_type_and_a_device_count_where_they_are_promised() -> None:
    compare(X.double(), shape=(4, *SHAPE))
    with pytest.raises(
        FaultError, match=r"^returned an x of dtype torch.float64, where torch.float32 is promised$"
    ):
        compare(X.double(), shape=(4, *SHAPE), dtype=torch.float32, what="an x of")
    with pytest.raises(FaultError, match=r"^returned an x of device meta, where cpu is promised$"):
        compare(X.to("meta"), shape=(4, *SHAPE), device=torch.device("cpu"), what="an x of")


class Kinked(Energy):
    """√|x|², whose gradient is 0 / 0 at the origin."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).square().sum(1).sqrt()


def test_an_energy_promises_its_gradient_too() -> None:
    look_at_energy(Kinked(), X + 2)
    with pytest.raises(FaultError, match="a gradient of numbers that are not finite"):
        look_at_energy(Kinked(), 0 * X)


@pytest.mark.parametrize(
    ("law", "said"),
    [
        (lambda x: x, "returned a Tensor, not a Gaussian"),
        (
            lambda x: Gaussian(x.mean(2), x.mean(2)[:, :1]),
            r"returned as log_std shape \(4, 1\), where \(4, 2\) is promised",
        ),
        (
            lambda x: Gaussian(x.mean(2)[:1], x.mean(2)[:1]),
            r"returned as mean shape \(1, 2\), where \(4, 2\) is ",
        ),
    ],
)
def test_an_encoder_promises_two_tensors_of_one_shape(law: Callable[[Tensor], Any], said: str) -> None:
    class Encodes(Encoder):
        def forward(self, x: Tensor) -> Gaussian:
            return law(x)  # type: ignore[no-any-return]

    with pytest.raises(FaultError, match=said):
        look_at_encoder(Encodes(), X)


def test_a_generator_promises_examples_like_the_datas() -> None:
    class Flat(LatentGenerator):
        latent_shape, noise_std = (3,), 0.3

        def forward(self, z: Tensor) -> Tensor:
            return nn.functional.pad(z, (0, 3))

    with pytest.raises(FaultError, match=r"shape \(4, 6\), where \(4, 2, 3\) is promised"):
        look_at_generator(Flat(), torch.zeros(4, 3), X)


@pytest.mark.parametrize(
    ("sampler", "said"),
    [
        (Moves(move=lambda x: None), "returned a state without a tensor x: Position"),
        (Moves(move=lambda x: x[:1]), r"at step 1 a state x of shape \(1, 2, 3\), where \(4, 2, 3\)"),
        (Moves(move=lambda x: x.double()), "at step 1 a state x of dtype torch.float64"),
        (Moves(move=lambda x: x / 0), "at step 1 a state x of numbers that are not finite"),
        (Moves(move=lambda x: torch.where(x < -0.9, torch.nan, x - 0.05)), "at step 1 a state x of numbers"),
        (Moves(move=lambda x: x.mul_(0.5)), "changed the x that it was given"),
        (Moves(move=lambda x: x + 0, info=[1]), "returned an info that is not a mapping: list"),
        (Moves(move=lambda x: x + 0, info={"rate": 0.5}), "watches 'rate' with a float, not a tensor"),
    ],
)
def test_what_a_step_may_not_do_is_named(sampler: Sampler, said: str) -> None:
    with pytest.raises(FaultError, match=said):
        look(sampler)


def test_a_chain_that_runs_away_breaks_no_promise() -> None:
    """Ten times as far a step: after 40 steps float32 has no number for it, and nobody walks so far."""
    look(Moves(move=lambda x: 10 * x), steps=60)


def test_what_the_energy_makes_of_a_chain_is_not_the_samplers_doing() -> None:
    class Walled(Energy):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1).square().sum(1) * torch.where(
                x.flatten(1).abs().amax(1) < 0.5, 1.0, torch.nan
            )

    look(Langevin(step_size=0.1, noise=False), Walled())


class Fails(TinyEnergy):
    """On states beyond a distance."""

    def forward(self, x: Tensor) -> Tensor:
        if x.abs().max() > 1.5:
            raise LookupError("too far")
        return super().forward(x)


@attrs.frozen(kw_only=True)
class Asks(Sampler):
    """Asks the energy about the states that it moves to, or about something made of them."""

    made: Callable[[Tensor], Tensor] = lambda x: x
    hides: bool = False

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[Position, Info]:
        moved = state.x + 1
        try:
            energy(self.made(moved))
        except LookupError:
            if self.hides:
                raise ArithmeticError("of the sampler's own") from None
            raise
        return Position(moved), {}


def test_an_energy_that_fails_on_states_that_it_has_to_take_is_told_with_them() -> None:
    for sampler in (Asks(), Asks(hides=True)):
        with pytest.raises(TargetFailedError, match="too far") as failed:
            look(sampler, Fails(SHAPE))
        assert isinstance(failed.value.error, LookupError)
        assert torch.equal(failed.value.x, X + 1)


def test_a_sampler_that_asks_about_something_else_is_at_fault_itself() -> None:
    asks = Asks(made=lambda x: x.flatten(1))
    said = (
        r"asks the energy about .* of shape \(4, 6\) on cpu, where states are .* \(4, 2, 3\) on cpu: too far"
    )
    with pytest.raises(FaultError, match=said):
        look(asks, Fails(SHAPE))


def test_what_a_sampler_raises_by_itself_comes_through() -> None:
    def lost(x: Tensor) -> Tensor:
        raise IndexError("lost")

    with pytest.raises(IndexError, match="lost"):
        look(Moves(move=lost))
