"""One page for each code of a problem: what it means, what is wrong, what is right."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.resources import files

__all__ = ["pages"]


@functools.cache
def pages() -> Mapping[str, str]:
    """Each code with its page in Markdown, in order; the first line is ``# E103: an unknown key``.

    Examples:
        >>> pages()["E103"].splitlines()[0]
        '# E103: an unknown key'
    """
    texts = (files("ebmkit.config") / "codes").iterdir()
    pages = (each for each in texts if each.name.endswith(".md"))
    found = {each.name.removesuffix(".md"): each.read_text(encoding="utf-8") for each in pages}
    return dict(sorted(found.items()))
