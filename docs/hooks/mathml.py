"""Equations as MathML, which browsers draw by themselves: no script, no network."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

_EQUATION = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)

_SIM = ("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>")  # it would have no space around it


def on_post_page(output: str, **_: Any) -> str:
    """Replace what arithmatex marked by what latex2mathml makes of it."""
    return _EQUATION.sub(_mathml, output)


def _mathml(found: re.Match[str]) -> str:
    tag, bracket, latex = found.groups()
    display = "inline" if bracket == "(" else "block"
    drawn = convert(html.unescape(latex), display=display).replace(*_SIM)
    return f'<{tag} class="arithmatex">{drawn}</{tag}>'
