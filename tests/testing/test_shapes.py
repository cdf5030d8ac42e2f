"""What is said of samplers that do not take states of every shape."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from ebmkit.testing import check
from ebmkit.testing.shapes import CHECKS
from tests.conftest import Ebmkit
from tests.testing.mutants import EULER, MUTANTS, Euler
from tests.testing.test_kit import RETURNS


def test_a_sampler_that_knows_vectors_alone_is_told_which_states_it_fails_on() -> None:
    mutant = MUTANTS["KnowsNoPlainNumbers"]
    (result,) = check(mutant.component, mutant.claims, only=["shape-and-dtype"]).results
    assert "raised IndexError: Dimension out of range" in result.detail
    assert f"{Path(inspect.getfile(mutant.component))}:" in result.detail
    assert (
        "with states of shape (B,): a state may have any shape (B, *S), and ebmkit.core.as_rows"
        in result.detail
    )


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("Position(state.x)", "step returned a Position; wanted (state, info)"),
        ("(Position(state.x), 0.5)", "step returned a float as info; wanted a mapping"),
        (
            "(Position(state.x), {'a': state.x})",
            "info 'a' has shape (5, 3); wanted (5,), one number per chain, or ()",
        ),
    ],
)
def test_what_a_step_returns_is_held_against_what_it_should(
    returned: str, message: str, tmp_path: Path, ebmkit: Ebmkit
) -> None:
    (tmp_path / "odd.py").write_text(RETURNS.replace("RETURNED", returned))
    checks = json.loads(ebmkit("plugins", "check", "odd.py", "--quick", "--json").out)["checks"]
    assert message in checks[0]["detail"]


@pytest.mark.parametrize(
    ("mutant", "name", "said"),
    [
        ("Downcast", "shape-and-dtype", "float64 positions come back with the digits of float32 only"),
        (
            "ClipsByTheBatch",
            "independent-rows",
            "of positions (8, 3), a chain that starts at 2.5 changes other",
        ),
        (
            "FirstChainIgnored",
            "batch-split",
            "of positions (64, 3), 32 chains depend on which run beside them",
        ),
    ],
)
def test_what_depends_on_others_is_told_with_the_shape_of_the_states(
    mutant: str, name: str, said: str
) -> None:
    """Who takes row 0 for chain 0 has the second half of 64 chains wrong."""
    wrong = MUTANTS[mutant]
    (result,) = check(wrong.component, wrong.claims, only=[name]).results
    assert result.detail.startswith(said)


def test_states_of_five_shapes_are_tried() -> None:
    details = [each.detail for each in check(Euler, EULER, only=[*CHECKS]).results]
    assert details == ["5 shapes, float32 and float64", "5 shapes", "5 shapes"]
