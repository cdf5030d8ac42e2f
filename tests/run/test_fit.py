"""Whether parts fit the data, by what they do with two examples of that shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ebmkit.config import ConfigProblemsError
from ebmkit.core import ConditionalEnergy
from ebmkit.errors import DataError, PluginError
from ebmkit.run.fit import LONGEST, check_shapes, part_shapes, refused
from ebmkit.testing.parts import TinyEnergy, TinyGenerator
from tests.training.test_guard import plan_of

RunFile = Callable[[str], Path]

SHAPE = (1, 16, 16)


@pytest.fixture
def check(run_file: RunFile) -> Callable[..., None]:
    """Hold an energy and a generator against data of a shape, in the place of those of a run file."""
    plan = plan_of(run_file("coopnets"))

    def checked(energy: Any = None, generator: Any = None) -> None:
        parts = {"energy": energy or TinyEnergy(SHAPE), "generator": generator or TinyGenerator(SHAPE)}
        check_shapes(plan, parts, SHAPE)

    return checked


def line(file: Path, table: str) -> int:
    return file.read_text().splitlines().index(table) + 1


def test_parts_that_fit_are_left_as_they_are(check: Callable[..., None]) -> None:
    """In the mode in which they were, with the weights and the global generator that there were."""
    energy, generator = TinyEnergy(SHAPE), TinyGenerator(SHAPE)
    weights = [each.clone() for each in (*energy.parameters(), *generator.parameters())]
    before = torch.random.get_rng_state()
    check(energy, generator)
    assert (energy.training, generator.training) == (True, True)
    assert all(map(torch.equal, weights, (*energy.parameters(), *generator.parameters())))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_generator_of_another_shape_is_refused_at_its_table(
    check: Callable[..., None], run_file: RunFile
) -> None:
    with pytest.raises(ConfigProblemsError) as caught:
        check(generator=TinyGenerator((1, 8, 8)))
    (problem,) = caught.value.problems
    assert problem.message == "it makes examples of shape (1, 8, 8), the data have (1, 16, 16)"
    assert problem.code == "E109"
    assert problem.line == line(run_file("coopnets"), "[generator]")


class Sums(TinyEnergy):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sum()


class Nothing(TinyEnergy):
    def forward(self, x: Tensor) -> Any:
        return None


@pytest.mark.parametrize(
    ("energy", "said"),
    [
        (Sums, "returned shape () for 2 examples: an energy gives one number an example, (B,)"),
        (Nothing, "returned a NoneType, not a tensor"),
    ],
)
def test_what_is_no_number_an_example_is_the_plugins_fault(
    energy: type[TinyEnergy], said: str, check: Callable[..., None]
) -> None:
    with pytest.raises(PluginError) as caught:
        check(energy(SHAPE))
    assert str(caught.value) == f"energy 'descriptor' (plugin 'convnets' of ebmkit-torch 0.1.0) {said}"


class Raises(TinyEnergy):
    def __init__(self, error: Exception) -> None:
        super().__init__(SHAPE)
        self.error = error

    def forward(self, x: Tensor) -> Tensor:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"), [(ValueError("no"), 2), (KeyError("no"), 4), (RuntimeError("no"), 4)]
)
def test_what_a_part_raises_is_placed_at_its_table_and_refusals_are_no_ones_fault(
    error: Exception, code: int, check: Callable[..., None], run_file: RunFile
) -> None:
    with pytest.raises(ConfigProblemsError) as caught:
        check(Raises(error))
    (problem,) = caught.value.problems
    assert "fails on examples of shape (1, 16, 16), as the data have them: " in problem.message
    assert problem.message.endswith(f"{type(error).__name__}: {error}")
    assert problem.line == line(run_file("coopnets"), "[energy]")
    assert caught.value.exit_code == code


def test_an_error_of_ebmkits_own_comes_through_as_it_is(check: Callable[..., None]) -> None:
    error = DataError("of the data")
    with pytest.raises(DataError) as caught:
        check(Raises(error))
    assert caught.value is error


def test_a_message_that_repeats_a_long_value_is_cut(check: Callable[..., None]) -> None:
    with pytest.raises(ConfigProblemsError) as caught:
        check(Raises(ValueError("x" * 10_000)))
    assert LONGEST < len(caught.value.problems[0].message) < LONGEST + 300


def test_a_part_that_needs_a_class_where_the_data_have_none_is_not_asked(check: Callable[..., None]) -> None:
    class Conditional(ConditionalEnergy):
        def __init__(self, classes: int) -> None:
            super().__init__()
            self.classes, self.asked = classes, 0

        def conditional(self, x: Tensor, condition: Tensor) -> Tensor:
            self.asked += 1
            return x.flatten(1).sum(1)

    none, some = Conditional(0), Conditional(3)
    check(none)
    check(some)
    assert (none.asked, some.asked) == (0, 1)


def test_grids_are_of_the_sizes_of_their_names_and_other_parts_of_the_datas(run_file: RunFile) -> None:
    plan = plan_of(run_file("multigrid"))
    shapes = part_shapes(plan, (3, 16, 16))
    assert shapes == {"grids.4": (3, 4, 4), "grids.16": (3, 16, 16)}
    assert part_shapes(plan_of(run_file("coopnets")), SHAPE) == {}


def test_grids_that_do_not_end_at_the_data_are_refused_by_the_schedule_at_its_table(
    run_file: RunFile,
) -> None:
    file = run_file("multigrid")
    with pytest.raises(ConfigProblemsError) as caught:
        part_shapes(plan_of(file), (1, 12, 12))
    (problem,) = caught.value.problems
    assert (
        "scheduler 'multigrid' (plugin 'coopnets' of ebmkit-torch 0.1.0) refuses these parts: "
        in problem.message
    )
    assert problem.line == line(file, "[schedule]")


def test_a_refusal_stands_at_the_table_that_is_named(run_file: RunFile) -> None:
    file = run_file("coopnets")
    (problem,) = refused(plan_of(file), ("revision",), "not so").problems
    assert (problem.code, problem.message) == ("E109", "not so")
    assert problem.line == line(file, "[revision]")
