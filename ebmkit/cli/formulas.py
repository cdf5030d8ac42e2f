"""Formulas of docstrings as a terminal can show them: the documentation sets them, a terminal has letters."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["readable"]

_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)
# fmt: off
_SYMBOLS: Mapping[str, str] = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ",
    "nabla": "∇", "partial": "∂", "sum": "Σ", "prod": "Π", "odot": "⊙", "cdot": "·", "pm": "±",
    "sim": "~", "propto": "∝", "approx": "≈", "le": "≤", "ge": "≥", "leftarrow": "←", "dots": "…",
    "mid": "|", "langle": "⟨", "rangle": "⟩", "in": "∈", "infty": "∞", "qquad": "  ", "quad": " ",
}
# fmt: on
_ACCENTS: Mapping[str, str] = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304", "overline": "\u0304"}
_RAISED = str.maketrans("0123456789+-=()niT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵀ")
_INNER = r"\{([^{}]*)\}"


def readable(text: str) -> str:
    r"""A docstring with its formulas in plain letters and its code without the double quotes.

    Examples:
        >>> print(readable(r"$x \leftarrow x - \frac{\delta^2}{2} \nabla E(x) + \delta \epsilon$, ``noise``"))
        x ← x - δ²/2 ∇E(x) + δ ε, noise
        >>> print(readable(r"$\frac1m \sum_i \|\tilde x_i - g(z_i)\|^2 / 2\sigma^2 \propto p(x)^{1/T}$"))
        1/m Σ_i ‖x̃_i - g(z_i)‖² / 2σ² ∝ p(x)^(1/T)
    """
    return _FORMULA.sub(lambda found: _plain(found[1] or found[2]), text).replace("``", "")


def _plain(formula: str) -> str:
    formula = (
        re.sub(r"\\[,;: ]", " ", formula.replace(r"\!", ""))
        .replace(r"\|", "‖")
        .replace(r"\{", "(")
        .replace(r"\}", ")")
    )
    formula = re.sub(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])", "", formula)
    formula = re.sub(r"\\t?frac\s*(\w)\s*(\w)", r"\1/\2", formula)
    before = ""
    while before != formula:  # what is inside braces first
        before = formula
        formula = re.sub(rf"\\(?:mathrm|text|mathcal)\s*{_INNER}", r"\1", formula)
        formula = re.sub(rf"\\({'|'.join(_ACCENTS)})\s*(?:{_INNER}|([A-Za-z]))", _accented, formula)
        formula = re.sub(rf"\\t?frac\s*{_INNER}\s*{_INNER}", _fraction, formula)
        formula = re.sub(rf"\\sqrt\s*{_INNER}", lambda found: f"√{_grouped(found[1])}", formula)
        formula = re.sub(rf"\^(?:{_INNER}|(\w))", _raised, formula)
        formula = re.sub(rf"_{_INNER}", lambda found: f"_{_grouped(found[1])}", formula)
    formula = re.sub(r" {2,}", " ", formula.replace("{", "").replace("}", ""))
    return re.sub(r"\\([A-Za-z]+)( ?)", _symbol, formula).strip()


def _accented(found: re.Match[str]) -> str:
    """``x̂``: the accent follows the letter it stands on."""
    base = found[2] or found[3]
    return (base if len(base) == 1 else f"({base})") + _ACCENTS[found[1]]


def _fraction(found: re.Match[str]) -> str:
    return f"{_grouped(found[1])}/{_grouped(found[2])}"


def _raised(found: re.Match[str]) -> str:
    exponent = found[1] if found[1] is not None else found[2]
    raised = exponent.translate(_RAISED)
    if not set(exponent) & set(raised):
        return raised
    return f"^({exponent})" if len(exponent) > 1 else f"^{exponent}"


def _grouped(text: str) -> str:
    """A term in brackets where it is more than one factor."""
    return f"({text})" if re.search(r"[ +\-,=]", text.strip()) else text


def _symbol(found: re.Match[str]) -> str:
    """``δ`` for a letter, the name itself for a function; ∇ stands close to what it is of."""
    name, blank = found[1], found[2]
    return _SYMBOLS.get(name, name) + ("" if name == "nabla" else blank)
