"""Tables of parameters, from the same annotations that run files are checked against.

A line ``{{ parameters module:Class }}`` in a page becomes a table of the class's TOML keys.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from ebmkit.config import REQUIRED, describe, signature_of

_LINE = re.compile(r"^\{\{ parameters ([\w.]+):(\w+) \}\}$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each such line."""
    return _LINE.sub(_table, markdown)


def _table(found: re.Match[str]) -> str:
    factory = getattr(importlib.import_module(found[1]), found[2])
    rows = ["| key | type | default | what it is |", "|---|---|---|---|"]
    for each in signature_of(factory).parameters:
        default = "required" if each.default is REQUIRED else f"`{each.default!r}`"
        rows.append(
            f"| `{each.name}` | {_cell(describe(each.hint))} | {_cell(default)} | {_cell(each.doc)} |"
        )
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
