from __future__ import annotations

import math
import re
from typing import Annotated, Any, get_args

import attrs
import pytest

from ebmkit.config.convert import OutOfRangeError, convert
from ebmkit.config.tables import ChainKeys, DataKeys, GuardTable, RunTable, WeightKeys
from ebmkit.core import Chain, Energy, Sampler
from ebmkit.parameters.ranges import Ge, Gt, Le, Lt, MinLen, OrInfinite, broken_bound, describe_bounds
from ebmkit.parameters.signature import Parameter, signature_of
from ebmkit.registry.discovery import Registry
from ebmkit.registry.kinds import KINDS
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_langevin.langevin import Langevin
from ebmkit_optim.adam import Adam


@pytest.mark.parametrize(
    ("marker", "inside", "outside"), [(Gt(1), 2, 1), (Ge(1), 1, 0), (Lt(1), 0, 1), (Le(1), 1, 2)]
)
def test_each_bound_holds_on_its_own_side(marker: object, inside: int, outside: int) -> None:
    hint = Annotated[int, marker]
    assert broken_bound(hint, inside) is None
    assert broken_bound(hint, outside) == describe_bounds(hint)


def test_items_of_tuples_are_checked_one_by_one() -> None:
    positive = Annotated[float, Gt(0)]
    assert broken_bound(tuple[positive, ...], (1.0, -1.0)) == "> 0"
    assert broken_bound(tuple[float, positive], (-1.0, 1.0)) is None
    assert broken_bound(tuple[float, positive], (1.0, 0.0)) == "> 0"
    assert broken_bound(Annotated[tuple[positive, ...], MinLen(2)], (1.0,)) == "at least 2 long"


@pytest.mark.parametrize("settings", [{"step_size": 0.0}, {"step_size": -1.0}, {"temperature": -0.1}])
def test_a_sampler_refuses_in_python_what_a_run_file_may_not_say(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"Langevin: {next(iter(settings))} must be"):
        Langevin(**settings)  # type: ignore[arg-type]


def test_a_sampler_without_ranges_needs_none() -> None:
    @attrs.frozen(kw_only=True)
    class Free(Sampler):
        width: int = -3

        def step(self, energy: object, state: object, rng: object) -> object:  # type: ignore[override]
            return state

    assert Free().width == -3


def every_number() -> list[tuple[str, Parameter]]:
    """Each parameter of each part and table that can be a float."""
    registry = Registry.discover()
    parts: list[Any] = [each.factory for kind in KINDS for each in registry.components(kind)]
    parts += [RunTable, DataKeys, ChainKeys, WeightKeys, GuardTable]
    found = [(part.__name__, each) for part in parts for each in signature_of(part).parameters]
    return [(part, each) for part, each in found if takes_a_float(each.hint)]


def takes_a_float(hint: Any) -> bool:
    return hint is float or any(map(takes_a_float, get_args(hint)))


def test_no_number_of_any_part_may_be_infinite_but_those_that_say_so() -> None:
    numbers = every_number()
    assert len(numbers) >= 50
    infinite = set()
    for part, parameter in numbers:
        for value in (math.nan, math.inf, -math.inf, 10**400, [math.inf], [0.0, math.nan]):
            try:
                convert(value, parameter.hint)
            except ValueError:
                continue
            assert value in (math.inf, 10**400), (part, parameter.name, value)
            infinite.add(f"{part}.{parameter.name}")
    assert infinite == {
        "ClassDescriptor.reference_std",
        "ConvDescriptor.reference_std",
        "GuardTable.energy_limit",
        "GuardTable.roughness_limit",
        "MlpDescriptor.reference_std",
        "ResNetDescriptor.reference_std",
    }


@pytest.mark.parametrize(
    "hint", [float, Annotated[float, Gt(0)], float | None, Annotated[float, Gt(0)] | None]
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_what_is_not_finite_is_out_of_range(hint: Any, value: float) -> None:
    with pytest.raises(OutOfRangeError, match="must be a finite number, got"):
        convert(value, hint)


def test_bounds_hold_inside_unions_too() -> None:
    assert broken_bound(Annotated[float, Gt(0)] | None, -1.0) == "> 0"
    assert broken_bound(Annotated[float, Gt(0)] | None, None) is None
    assert broken_bound(Annotated[float, Gt(0)] | str, "far") is None


def test_infinity_where_it_means_something() -> None:
    hint = Annotated[float, Gt(0), OrInfinite()]
    assert convert(math.inf, hint) == math.inf
    assert broken_bound(hint, -math.inf) == "> 0"
    assert broken_bound(hint, math.nan) == "a number"
    assert ConvDescriptor((1, 16, 16), reference_std=math.inf).reference_std == math.inf


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Langevin(step_size=math.inf), "Langevin: step_size must be a finite number, got inf"),
        (lambda: Adam(lr=math.nan), "Adam: lr must be a finite number, got nan"),
        (
            lambda: ConvDescriptor((1, 16, 16), weight_std=math.inf),
            "ConvDescriptor: weight_std must be a finite number, got inf",
        ),
        (lambda: ConvDescriptor((1, 16, 16), leak=-1.0), "ConvDescriptor: leak must be >= 0, got -1.0"),
        (
            lambda: ConvGenerator((1, 16, 16), noise_std=math.inf),
            "ConvGenerator: noise_std must be a finite number, got inf",
        ),
        (
            lambda: CoopNets(
                ConvDescriptor((1, 16, 16)),
                ConvGenerator((1, 16, 16)),
                Chain(Langevin(), 1),
                generator_updates=0,
            ),
            "CoopNets: generator_updates must be >= 1, got 0",
        ),
    ],
)
def test_every_part_refuses_in_python_what_a_run_file_may_not_say(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build()


def test_infinity_by_default_may_be_said_again() -> None:
    """As a resolved run file does, and the build from it."""

    class Walled(Energy):
        def __init__(self, *, wall: float = math.inf) -> None:
            super().__init__()
            self.wall = wall

        def forward(self, x: Any) -> Any:
            return x

    @attrs.frozen(kw_only=True)
    class Far(Sampler):
        reach: float = math.inf

        def step(self, energy: object, state: object, rng: object) -> object:  # type: ignore[override]
            return state

    assert Walled(wall=math.inf).wall == math.inf
    assert Far(reach=float("inf")).reach == math.inf
    with pytest.raises(ValueError, match="Walled: wall must be a finite number, got -inf"):
        Walled(wall=-math.inf)
    with pytest.raises(ValueError, match="Far: reach must be a finite number, got nan"):
        Far(reach=math.nan)
