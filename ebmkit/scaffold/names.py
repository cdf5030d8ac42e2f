"""Names that a new distribution may not have, because pip or Python would take one thing for another."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from importlib import metadata, util

from ebmkit.requirements import DISTRIBUTION

__all__ = ["bound_twice", "taken"]


def taken(distribution: str, module: str) -> str:
    """Who has the name of a distribution, which pip would remove for it, or of its module; or nothing."""
    try:
        return f"{distribution} {metadata.version(distribution)} is installed, and pip would replace it"
    except metadata.PackageNotFoundError:
        pass
    if distribution == DISTRIBUTION:
        return f"{distribution} is ebmkit itself"
    return f"there is a module {module} already, which it would hide" if util.find_spec(module) else ""


def bound_twice(text: str) -> str:
    r"""The first name that a module gives to two things, Python's own names among them; or nothing.

    Examples:
        >>> bound_twice("from ebmkit.core import Sampler\nclass Sampler(Sampler): ...")
        'Sampler'
        >>> bound_twice("class None: ...")
        'None'
    """
    try:
        module = ast.parse(text)
    except SyntaxError as error:  # the name of a class is a word of the language
        return (error.text or "")[(error.offset or 1) - 1 : (error.end_offset or 1) - 1]
    seen = set(vars(builtins))
    for _, name in dict.fromkeys(_bound(module)):
        if name in seen:
            return name
        seen.add(name)
    return ""


def _bound(module: ast.Module) -> Iterator[tuple[str | None, str]]:
    """Each imported or defined name, with where it comes from."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((None, each.asname or each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, each.asname or each.name) for each in node.names)
        elif isinstance(node, ast.ClassDef):
            yield "here", node.name
