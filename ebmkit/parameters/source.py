"""The names of a module, looked up in its source text: nothing of it is imported."""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import attrs

__all__ = ["Class", "Source", "UnreadableError", "evaluate", "hint_of", "line_of", "look_up", "read"]

_LIGHT = {*sys.stdlib_module_names, "annotated_types", "attr", "attrs"}
_MARKS = ("ebmkit.parameters.ranges", "ebmkit.parameters.records")
"""Packages, and our module, that are imported for what stands in annotations; all others are read."""

_OPAQUE = "torch"
"""Bases out of this package have no parameters of ours."""


class UnreadableError(Exception):
    """The source does not tell."""


@attrs.frozen
class Source:
    """A parsed module: each top-level name with the statement that binds it."""

    name: str
    package: str
    bindings: Mapping[str, ast.stmt]


@attrs.frozen
class Class:
    """A class statement and the module it stands in."""

    node: ast.ClassDef
    source: Source


@functools.cache
def read(name: str) -> Source:
    """The source of a module.

    Raises:
        UnreadableError: it has none, or could not be imported.
    """
    spec = _spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise UnreadableError(name)
    tree = ast.parse(Path(spec.origin).read_bytes())
    for root in _imported_packages(tree.body):
        if root not in sys.modules and importlib.util.find_spec(root) is None:
            raise UnreadableError(f"{name} imports {root}, which is not installed")
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    return Source(name, package, dict(_bindings(tree.body)))


def _imported_packages(body: list[ast.stmt]) -> Iterator[str]:
    """The packages without which a module cannot be imported."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _spec(name: str) -> ModuleSpec | None:
    """Where a module is; unlike ``importlib.util.find_spec`` this imports no parent package."""
    root, *rest = name.split(".")
    spec = importlib.util.find_spec(root)
    for part in rest:
        if spec is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations)
    return spec


def _bindings(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            for each in node.names:
                root = each.name if isinstance(node, ast.ImportFrom) else each.name.partition(".")[0]
                yield each.asname or root, node
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node
        elif isinstance(node, ast.If):  # if TYPE_CHECKING
            yield from _bindings(node.body)


def look_up(source: Source, name: str) -> Any:
    """The value of a top-level name: a class of a module that is read is a ``Class``."""
    node = source.bindings.get(name)
    if node is None:
        return getattr(builtins, name)
    if isinstance(node, ast.ClassDef):
        return Class(node, source)
    if isinstance(node, ast.Import):
        return _imported(node, name)
    if isinstance(node, ast.ImportFrom):
        original = next(each.name for each in node.names if name in (each.asname, each.name))
        module = importlib.util.resolve_name("." * node.level + (node.module or ""), source.package)
        if module in _MARKS or module.partition(".")[0] in _LIGHT:
            return getattr(importlib.import_module(module), original)
        return look_up(read(module), original)
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return evaluate(node.value, source)
    raise UnreadableError(name)


def _imported(node: ast.Import, name: str) -> Any:
    each = next(each for each in node.names if name in (each.asname, each.name.partition(".")[0]))
    if each.name.partition(".")[0] not in _LIGHT:
        raise UnreadableError(each.name)
    module = importlib.import_module(each.name)
    return module if each.asname else sys.modules[name]


class _Names(dict[str, Any]):
    """The names of a module, each looked up when an expression uses it."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source

    def __missing__(self, name: str) -> Any:
        return look_up(self.source, name)


def evaluate(node: ast.expr, source: Source) -> Any:
    """An annotation or a default: what importing its module would evaluate too."""
    code = compile(ast.Expression(node), source.name, "eval")
    return eval(code, {"__builtins__": {}}, _Names(source))  # noqa: S307 - the source of an installed class


def hint_of(node: ast.expr, source: Source) -> Any:
    """The value of an annotation, which must not name a class that was only read, nor be a quoted one."""
    hint = evaluate(node, source)
    if isinstance(hint, str | Class):
        raise UnreadableError(ast.unparse(node))
    return hint


def line_of(found: Class) -> Iterator[Class]:
    """The class and those it inherits from, as far as they have parameters of ours."""
    if found.node.keywords:
        raise UnreadableError(found.node.name)
    yield found
    for base in found.node.bases:
        if _root(base, found.source) != _OPAQUE:
            value = evaluate(base, found.source)
            if isinstance(value, Class):
                yield from line_of(value)


def _root(base: ast.expr, source: Source) -> str:
    """The package that the first name of ``nn.Module`` is imported from."""
    while isinstance(base, ast.Attribute | ast.Subscript):
        base = base.value
    node = source.bindings.get(base.id) if isinstance(base, ast.Name) else None
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0]
    return node.names[0].name.partition(".")[0] if isinstance(node, ast.Import) else ""
