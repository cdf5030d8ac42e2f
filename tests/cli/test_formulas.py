"""Formulas of docstrings in letters that a terminal has."""

from __future__ import annotations

import pytest

from ebmkit.cli.formulas import readable
from ebmkit.registry.discovery import Registry
from ebmkit.registry.kinds import KINDS


@pytest.mark.parametrize(
    ("formula", "plain"),
    [
        (r"\frac{a + b}{2 \sigma^2}", "(a + b)/(2 σ²)"),
        (r"\sqrt{\frac{a}{b}}", "√a/b"),
        (r"\tfrac1m \sum_i x_i", "1/m Σ_i x_i"),
        (r"\sqrt{1 - \rho^2}", "√(1 - rho²)"),
        (r"e^{-E(x)}", "e^(-E(x))"),
        (r"x^{-1} A^T", "x⁻¹ Aᵀ"),
        (r"\bar{x}_{i, j}", "x̄_(i, j)"),
        (r"\mathrm{KL}(p \mid q) \ge 0", "KL(p | q) ≥ 0"),
        (r"\left( \nabla \log p \right)", "( ∇log p )"),
    ],
)
def test_a_formula_has_the_letters_that_are_read_aloud(formula: str, plain: str) -> None:
    assert readable(f"${formula}$") == readable(f"$${formula}$$") == plain


def test_what_is_no_formula_stays_as_it_is() -> None:
    text = "A path such as C:\\new_folder, a {brace}, 2^3 and a_b."
    assert readable(text) == text
    assert readable(f"``steps``: {text}") == f"steps: {text}"


@pytest.mark.parametrize("kind", KINDS)
def test_no_installed_part_shows_a_sign_of_tex(kind: str) -> None:
    for component in Registry.discover().components(kind):
        docs = [component.doc, *(each.doc for each in component.signature.parameters)]
        shown = readable("\n".join(docs))
        assert not set("$\\`") & set(shown), component.name
