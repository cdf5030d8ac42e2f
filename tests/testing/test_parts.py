"""The small parts that others are checked with, and how a part is given those that it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from ebmkit.core import Chain, CooperativeScheduler, Energy, Rng, Weighted
from ebmkit.testing import EnergyClaims, SchedulerClaims
from ebmkit.testing.parts import EXAMPLES, OTHER_SHAPES, TinyEnergy, TinyGenerator, build_part
from ebmkit.testing.report import CheckFailedError
from ebmkit.testing.subject import Subject
from tests.models import double


def energies(component: Any, **settings: Any) -> Subject[EnergyClaims]:
    return Subject(component, EnergyClaims(settings=settings))


@pytest.mark.parametrize("shape", OTHER_SHAPES)
def test_the_small_energy_is_its_equation(shape: tuple[int, ...]) -> None:
    """|x|²/2 - Σ tanh(W x): at W = 0 the tanh of the biases is left."""
    energy, x = TinyEnergy(shape).double(), double(5, *shape)
    with torch.no_grad():
        energy.layer.weight.zero_()
        left = energy.layer.bias.tanh().sum()
        assert torch.allclose(
            energy(x), x.flatten(1).square().sum(1) / 2 - left if shape else x**2 / 2 - left
        )


def test_the_small_generator_makes_examples_inside_the_cube_of_images() -> None:
    for shape in OTHER_SHAPES:
        made = TinyGenerator(shape)(100 * torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
        assert made.shape == (5, *shape)
        assert made.abs().max() <= 1


def test_weights_come_from_the_seed_alone_and_the_global_generator_is_given_back() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (build_part(energies(TinyEnergy), (6,), seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    torch.rand(3)  # moves it, which matters to nothing
    later = build_part(energies(TinyEnergy), (6,), seed=0)
    assert torch.equal(one.layer.weight, same.layer.weight)
    assert torch.equal(one.layer.weight, later.layer.weight)
    assert not torch.equal(one.layer.weight, other.layer.weight)


class AsksForAll(TinyEnergy):
    def __init__(
        self,
        shape: tuple[int, ...],
        examples: int,
        part: Energy,
        parts: Mapping[str, Weighted],
        revision: Chain,
        *,
        width: int = 1,
    ) -> None:
        super().__init__(shape)
        self.given = (shape, examples, part, parts, revision, width)


def test_parts_are_handed_in_by_their_names_and_settings_by_keyword() -> None:
    built = build_part(energies(AsksForAll, width=7), (2, 5))
    shape, examples, part, parts, revision, width = built.given
    assert (shape, examples, width) == ((2, 5), EXAMPLES, 7)
    assert part(torch.zeros(3, 2, 5)).shape == (3,)
    assert {each.weight for each in parts.values()} == {0.5}
    assert revision(part, torch.zeros(3, 2, 5), rng=Rng(0)).x.shape == (3, 2, 5)


class AsksForAStranger(TinyEnergy):
    def __init__(self, shape: tuple[int, ...], teacher: int) -> None:
        super().__init__(shape)


def test_a_part_that_nobody_has_is_named_beside_those_that_there_are() -> None:
    with pytest.raises(CheckFailedError, match=r"^nobody hands in a part called teacher; there are shape, "):
        build_part(energies(AsksForAStranger), (6,))


class Grids(CooperativeScheduler):
    """Several energies, each for examples of the size of its name."""

    def __init__(self, grids: Mapping[str, Energy], coarse: Energy, revision: Chain) -> None:
        super().__init__()
        self.grids, self.coarse, self.revision = nn.ModuleDict(grids), coarse, revision

    @classmethod
    def shapes(cls, shape: tuple[int, ...], parts: Any) -> Mapping[str, tuple[int, ...]]:
        sizes = {name: int(name.partition(".")[2]) for name in parts if "." in name}
        return {name: (*shape[:-2], size, size) for name, size in sizes.items()}

    def updates(self, batch: Any, *, rng: Any) -> Any:
        raise NotImplementedError

    def propose(self, count: int, *, rng: Any) -> Any:
        raise NotImplementedError


def test_slots_of_a_schedules_own_are_filled_by_kind_in_the_shapes_that_it_says() -> None:
    claims = SchedulerClaims(parts={"grids": ("2", "3")})
    schedule = build_part(Subject(Grids, claims), (1, 4, 4))
    assert [*schedule.grids] == ["2", "3"]
    numbers = {name: each.layer.in_features for name, each in schedule.grids.items()}
    assert (numbers, schedule.coarse.layer.in_features) == ({"2": 4, "3": 9}, 16)
