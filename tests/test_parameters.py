from __future__ import annotations

from typing import Annotated

import attrs
import pytest

from ebmkit.core import Sampler
from ebmkit.parameters import Ge, Gt, Le, Lt, MinLen, broken_bound, describe_bounds
from ebmkit_langevin.langevin import Langevin


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
