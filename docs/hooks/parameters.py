"""Tables of parameters and pages of parts, from the same annotations that run files are checked against.

A line ``{{ parameters module:Class }}`` in a page becomes a table of the class's TOML keys, and
``{{ error pages }}`` the pages that ``ebmkit explain`` shows, and ``{{ parts sampler }}`` every part of
a kind that ebmkit brings, with its documentation.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

from ebmkit.config import REQUIRED, Parameter, as_toml, describe, signature_of
from ebmkit.config.pages import pages
from ebmkit.config.records import fields_of, record_in
from ebmkit.registry.discovery import Registry

_PARTS = re.compile(r"^\{\{ parts (\w+) \}\}$", re.MULTILINE)
_PART = """## {name}

::: {place}
    options: {{ heading_level: 3, members: false, show_signature: false, show_docstring_parameters: false }}

{{{{ parameters {module}:{class_name} }}}}
"""
_LINE = re.compile(r"^\{\{ parameters ([\w.]+):(\w+) \}\}$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each such line."""
    explained = "\n\n".join(page.replace("# ", "## ", 1) for page in pages().values())
    markdown = _PARTS.sub(_parts, markdown.replace("{{ error pages }}", explained))
    return _LINE.sub(_table, markdown)


def _parts(found: re.Match[str]) -> str:
    """Every part of a kind that ebmkit brings: its documentation and the table of its keys."""
    blocks = []
    for each in Registry.discover().components(found[1]):
        if each.distribution == "ebmkit-torch":
            module, _, name = each.place.rpartition(".")
            blocks.append(_PART.format(name=each.name, place=each.place, module=module, class_name=name))
    return "\n".join(blocks)


def _table(found: re.Match[str]) -> str:
    factory = getattr(importlib.import_module(found[1]), found[2])
    rows = ["| key | type | default | what it is |", "|---|---|---|---|"]
    for each in signature_of(factory).parameters:
        rows += _rows(each)
    return "\n".join(rows)


def _rows(parameter: Parameter, inside: str = "", above: tuple[str, ...] = ()) -> list[str]:
    """The row of a parameter, and those of the keys of one that is a table, the first time."""
    name, kind = f"{inside}{parameter.name}", describe(parameter.hint)
    default = "required" if parameter.default is REQUIRED else f"`{as_toml(parameter.default)}`"
    rows = [f"| `{name}` | {_cell(kind)} | {_cell(default)} | {_cell(parameter.doc)} |"]
    record = record_in(parameter.hint)
    if record is not None and kind not in above:
        for each in fields_of(record).values():
            rows += _rows(each, f"{name}.", above)
            above = (*above, describe(each.hint))
    return rows


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
