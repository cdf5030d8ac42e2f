"""What parts may say of themselves."""

from __future__ import annotations

import inspect
import re
import textwrap

import pytest
import torch

from ebmkit.testing import Linear, LinearLaw, SamplerClaims, check, claims
from ebmkit.testing.euler import Euler
from ebmkit.testing.runner import CLAIMS


def test_every_kind_has_claims_of_its_own_that_need_nothing_said() -> None:
    assert {kind: made().kind for kind, made in CLAIMS.items()} == {kind: kind for kind in CLAIMS}
    offered = {getattr(claims, name) for name in claims.__all__ if name.endswith("Claims")}
    assert offered == {*CLAIMS.values(), claims.Claims}


def test_nothing_said_is_said_of_nobody_else() -> None:
    """The defaults are shared, and so they cannot be written to."""
    with pytest.raises(TypeError):
        SamplerClaims().settings["step_size"] = 1.0  # type: ignore[index]
    with pytest.raises(AttributeError):
        SamplerClaims().steps = 1  # type: ignore[misc]


def test_the_example_of_a_linear_law_is_that_of_langevin_dynamics() -> None:
    """The lines of the docstring, judged by the kit; with other noise they are refused."""
    (code,) = re.findall(r"(?s)\n( +Linear\(lambda.*?\n +\)\))", inspect.getdoc(Linear) or "")
    example: Linear = eval(textwrap.dedent(code), {"Linear": Linear, "LinearLaw": LinearLaw, "torch": torch})  # noqa: S307

    def quieter(sampler: Euler, precision: torch.Tensor) -> LinearLaw:
        right = example.step(sampler, precision)
        return right._replace(noise=0.9 * right.noise)

    laws = ["law-gaussian", "law-mixture"]
    assert check(Euler, SamplerClaims(law=example), quick=True, only=laws).passed
    wrong = check(Euler, SamplerClaims(law=Linear(quieter)), quick=True, only=laws)
    assert [each.check for each in wrong.failures] == laws


def test_a_law_is_shown_by_its_shapes_not_by_its_numbers() -> None:
    text = repr(LinearLaw(torch.eye(50), torch.eye(50)))
    assert "50" in text
    assert len(text) < 200
