from __future__ import annotations

from typing import Annotated, Any

import attrs
import pytest
import torch

from ebmkit.core import EnergyFn, Ge, Gt, Info, Position, Rng, Sampler, State, run_chain
from tests.models import LinearDescriptor, double


@attrs.frozen(kw_only=True)
class Shift(Sampler):
    """Adds a number, and needs no more than a step."""

    by: Annotated[float, Gt(0)] = 1.0

    def step(self, energy: EnergyFn, state: Position, rng: Rng) -> tuple[State, Info]:
        return Position(state.x + self.by), {"by": torch.tensor(self.by)}


@attrs.frozen(kw_only=True)
class Paced(Shift):
    """Goes the same way in any number of steps."""

    length: Annotated[int, Ge(1)] = 1

    def for_chain(self, steps: int) -> Sampler:
        return attrs.evolve(self, by=self.by / steps) if steps else self


ENERGY = LinearDescriptor(double(4), 0.5)


def test_a_step_is_all_that_a_sampler_must_have() -> None:
    x = double(3, 4)
    moved = run_chain(Shift(by=0.5), ENERGY, x, steps=4, rng=Rng(0))
    assert torch.equal(moved.x, x + 0.5 + 0.5 + 0.5 + 0.5)
    assert moved.stats == {"by": 0.5}
    state = Shift().init(ENERGY, x)
    assert isinstance(state, Position)
    assert state.x is x
    assert Shift().caution(ENERGY) is None


def test_without_a_step_it_is_none() -> None:
    class Stepless(Sampler):
        pass

    with pytest.raises(TypeError, match="step"):
        Stepless()  # type: ignore[abstract]


def test_a_move_may_depend_on_the_length_of_its_chain() -> None:
    sampler, x = Paced(by=2.0), double(3, 4)
    for steps in (1, 4, 16):
        assert torch.allclose(run_chain(sampler, ENERGY, x, steps=steps, rng=Rng(0)).x, x + 2)
    assert Shift(by=2.0).for_chain(7) == Shift(by=2.0)


@pytest.mark.parametrize(
    ("part", "key", "value"), [(Shift, "by", 0.0), (Paced, "by", -1.0), (Paced, "length", 0)]
)
def test_a_value_outside_the_range_of_its_annotation_is_refused(part: Any, key: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{key}.*{value}"):
        part(**{key: value})


def test_a_position_says_its_shape_and_not_its_numbers() -> None:
    assert "(3, 4)" in repr(Position(double(3, 4)))
    assert len(repr(Position(double(300, 4)))) < 100
