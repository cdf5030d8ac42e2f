"""What is said of samplers that do not take states of every shape."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from ebmkit.testing import check
from tests.conftest import Ebmkit
from tests.testing.mutants import MUTANTS
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
