"""What a class takes, read from its source text: nothing of the class is imported.

Importing a component imports torch, which takes seconds; saying that a key is misspelt should not.
So the annotations of a constructor are evaluated alone, each name looked up where the module's
imports say it is. What cannot be read in this way (decorators, factories, computed bases) is not
guessed at: ``outline`` gives None, and the class is imported after all. Both readings are the same,
which a test holds for every component there is.
"""

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
from typing import Any, ClassVar

import attrs

from ebmkit.parameters.signature import REQUIRED, Parameter, PartSlot, Signature, argument_docs

__all__ = ["Outline", "outline"]

_LIGHT = {*sys.stdlib_module_names, "annotated_types", "attr", "attrs"}
_MARKS = "ebmkit.parameters.ranges"
"""Packages, and our module, that are imported for what stands in annotations; all others are read."""

_OPAQUE = "torch"
"""Bases out of this package have no parameters of ours."""

_ATTRS = (attrs.frozen, attrs.define, attrs.mutable)
_HARMLESS = ("final", "runtime_checkable")


@attrs.frozen
class Outline:
    """A class as its source shows it."""

    signature: Signature
    doc: str


@functools.cache
def outline(module: str, name: str) -> Outline | None:
    """The outline of ``module:name``; None where only importing it would tell.

    Examples:
        >>> outline("ebmkit.config.tables", "RunTable").signature.parameter("iterations").default
        1000
    """
    try:
        found = _look_up(_read(module), name)
        if not isinstance(found, _Class):
            return None
        line = list(_line(found))
        docs = [doc for each in line if (doc := ast.get_docstring(each.node))]
        doc = ast.get_docstring(found.node) or ""
        return Outline(_signature(line, argument_docs(reversed(docs))), doc)
    # Whatever goes wrong here goes wrong again, with a better message, when the class is imported.
    except Exception:  # noqa: BLE001
        return None


class _UnreadableError(Exception):
    """The source does not tell."""


@attrs.frozen
class _Source:
    """A parsed module: each top-level name with the statement that binds it."""

    name: str
    package: str
    bindings: Mapping[str, ast.stmt]


@attrs.frozen
class _Class:
    """A class statement and the module it stands in."""

    node: ast.ClassDef
    source: _Source


@functools.cache
def _read(name: str) -> _Source:
    spec = _spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise _UnreadableError(name)
    tree = ast.parse(Path(spec.origin).read_bytes())
    for root in _imported_packages(tree.body):
        if root not in sys.modules and importlib.util.find_spec(root) is None:
            raise _UnreadableError(f"{name} imports {root}, which is not installed")
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    return _Source(name, package, dict(_bindings(tree.body)))


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


def _look_up(source: _Source, name: str) -> Any:
    """The value of a top-level name: a class of a module that is read is a ``_Class``."""
    node = source.bindings.get(name)
    if node is None:
        return getattr(builtins, name)
    if isinstance(node, ast.ClassDef):
        return _Class(node, source)
    if isinstance(node, ast.Import):
        return _imported(node, name)
    if isinstance(node, ast.ImportFrom):
        original = next(each.name for each in node.names if name in (each.asname, each.name))
        module = importlib.util.resolve_name("." * node.level + (node.module or ""), source.package)
        if module == _MARKS or module.partition(".")[0] in _LIGHT:
            return getattr(importlib.import_module(module), original)
        return _look_up(_read(module), original)
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        return _evaluate(node.value, source)
    raise _UnreadableError(name)


def _imported(node: ast.Import, name: str) -> Any:
    each = next(each for each in node.names if name in (each.asname, each.name.partition(".")[0]))
    if each.name.partition(".")[0] not in _LIGHT:
        raise _UnreadableError(each.name)
    module = importlib.import_module(each.name)
    return module if each.asname else sys.modules[name]


class _Names(dict[str, Any]):
    """The names of a module, each looked up when an expression uses it."""

    def __init__(self, source: _Source) -> None:
        super().__init__()
        self.source = source

    def __missing__(self, name: str) -> Any:
        return _look_up(self.source, name)


def _evaluate(node: ast.expr, source: _Source) -> Any:
    """An annotation or a default: what importing its module would evaluate too."""
    code = compile(ast.Expression(node), source.name, "eval")
    return eval(code, {"__builtins__": {}}, _Names(source))  # noqa: S307 - the source of an installed class


def _hint(node: ast.expr, source: _Source) -> Any:
    """The value of an annotation, which must not name a class that was only read, nor be a quoted one."""
    hint = _evaluate(node, source)
    if isinstance(hint, str | _Class):
        raise _UnreadableError(ast.unparse(node))
    return hint


def _line(found: _Class) -> Iterator[_Class]:
    """The class and those it inherits from, as far as they have parameters of ours."""
    if found.node.keywords:
        raise _UnreadableError(found.node.name)
    yield found
    for base in found.node.bases:
        if _root(base, found.source) != _OPAQUE:
            value = _evaluate(base, found.source)
            if isinstance(value, _Class):
                yield from _line(value)


def _root(base: ast.expr, source: _Source) -> str:
    """The package that the first name of ``nn.Module`` is imported from."""
    while isinstance(base, ast.Attribute | ast.Subscript):
        base = base.value
    node = source.bindings.get(base.id) if isinstance(base, ast.Name) else None
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").partition(".")[0]
    return node.names[0].name.partition(".")[0] if isinstance(node, ast.Import) else ""


def _signature(line: list[_Class], docs: Mapping[str, str]) -> Signature:
    for each in line:
        if _is_attrs(each):
            fields = [field for one in reversed(line) if _is_attrs(one) for field in _fields(one)]
            break
        constructor = next((node for node in each.node.body if getattr(node, "name", "") == "__init__"), None)
        if isinstance(constructor, ast.FunctionDef):
            fields = list(_arguments(constructor, each.source))
            break
    else:
        fields = []
    # attrs puts a field that a derived class declares anew behind those it inherits.
    last = {field.name: number for number, field in enumerate(fields)}
    unique = [field for number, field in enumerate(fields) if last[field.name] == number]
    return Signature(
        tuple(
            PartSlot(each.name, each.default is REQUIRED, *each.asked_for)
            for each in unique
            if not each.keyword
        ),
        tuple(
            Parameter(each.name, each.hint, each.default, docs.get(each.name, ""))
            for each in unique
            if each.keyword
        ),
    )


@attrs.frozen
class _Field:
    """What one argument of a constructor is.

    Attributes:
        asked_for: of a positional one, the lineage of its annotation and whether many are asked for.
    """

    name: str
    keyword: bool
    hint: Any
    default: Any
    asked_for: tuple[tuple[str, ...], bool] = ((), False)


def _is_attrs(each: _Class) -> bool:
    """Whether attrs writes the constructor; any other decorator that could change it is not read."""
    found = False
    for decorator in each.node.decorator_list:
        value = _evaluate(decorator.func if isinstance(decorator, ast.Call) else decorator, each.source)
        if value in _ATTRS:
            found = True
        elif getattr(value, "__name__", "") not in _HARMLESS:
            raise _UnreadableError(each.node.name)
    if any(getattr(node, "name", "") in ("__new__", "__signature__") for node in each.node.body):
        raise _UnreadableError(each.node.name)
    return found


def _fields(each: _Class) -> Iterator[_Field]:
    """The fields that attrs makes of a class body."""
    keyword = any(
        isinstance(decorator, ast.Call)
        and any(item.arg == "kw_only" and _evaluate(item.value, each.source) for item in decorator.keywords)
        for decorator in each.node.decorator_list
    )
    for node in each.node.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if isinstance(node.value, ast.Call):  # attrs.field(...)
            raise _UnreadableError(node.target.id)
        head = node.annotation.value if isinstance(node.annotation, ast.Subscript) else node.annotation
        if _evaluate(head, each.source) is ClassVar:
            continue
        hint = _hint(node.annotation, each.source) if keyword else None
        default = REQUIRED if node.value is None else _evaluate(node.value, each.source)
        asked_for = ((), False) if keyword else _asked_for(node.annotation, each.source)
        yield _Field(node.target.id.lstrip("_"), keyword, hint, default, asked_for)


def _arguments(constructor: ast.FunctionDef, source: _Source) -> Iterator[_Field]:
    """The arguments of a written constructor, without ``self``."""
    arguments = constructor.args
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    given: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    for argument, default in zip(positional, [*given, *arguments.defaults], strict=True):
        asked_for = _asked_for(argument.annotation, source)
        yield _Field(argument.arg, False, None, REQUIRED if default is None else None, asked_for)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if argument.annotation is None:
            raise _UnreadableError(argument.arg)
        value = REQUIRED if default is None else _evaluate(default, source)
        yield _Field(argument.arg, True, _hint(argument.annotation, source), value)


def _asked_for(node: ast.expr | None, source: _Source) -> tuple[tuple[str, ...], bool]:
    """The line of the class in an annotation, and whether many of it are asked for; see ``PartSlot``."""
    if isinstance(node, ast.BinOp):  # Energy | None
        is_none = isinstance(node.left, ast.Constant) and node.left.value is None
        node = node.right if is_none else node.left
    many = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) and _is_mapping(node, source)
    if many:
        node = node.slice.elts[-1]  # type: ignore[union-attr]
    if not isinstance(node, ast.Name):
        return (), False
    try:
        found = _look_up(source, node.id)
        line = (
            [f"{each.source.name}:{each.node.name}" for each in _line(found)]
            if isinstance(found, _Class)
            else []
        )
    # What cannot be read says no kind, as what is no class.
    except Exception:  # noqa: BLE001
        return (), False
    return tuple(dict.fromkeys(line)), many and bool(line)


def _is_mapping(node: ast.Subscript, source: _Source) -> bool:
    return isinstance(node.value, ast.Name) and _look_up(source, node.value.id) is Mapping
