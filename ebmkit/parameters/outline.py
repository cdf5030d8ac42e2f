"""What a class takes, read from its source text: nothing of the class is imported.

Importing a component imports torch, which takes seconds; saying that a key is misspelt should not.
So the annotations of a constructor are evaluated alone, each name looked up where the module's
imports say it is. What cannot be read in this way (decorators, factories, computed bases) is not
guessed at: ``outline`` gives None, and the class is imported after all. Both readings are the same,
which a test holds for every component there is.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import attrs

from ebmkit.parameters.signature import REQUIRED, Parameter, PartSlot, Signature, argument_docs
from ebmkit.parameters.source import Class, Source, UnreadableError, evaluate, hint_of, line_of, look_up, read

__all__ = ["Outline", "outline"]

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
        found = look_up(read(module), name)
        if not isinstance(found, Class):
            return None
        line = list(line_of(found))
        docs = [doc for each in line if (doc := ast.get_docstring(each.node))]
        doc = ast.get_docstring(found.node) or ""
        return Outline(_signature(line, argument_docs(reversed(docs))), doc)
    # Whatever goes wrong here goes wrong again, with a better message, when the class is imported.
    except Exception:  # noqa: BLE001
        return None


def _signature(line: list[Class], docs: Mapping[str, str]) -> Signature:
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


def _is_attrs(each: Class) -> bool:
    """Whether attrs writes the constructor; any other decorator that could change it is not read."""
    found = False
    for decorator in each.node.decorator_list:
        value = evaluate(decorator.func if isinstance(decorator, ast.Call) else decorator, each.source)
        if value in _ATTRS:
            found = True
        elif getattr(value, "__name__", "") not in _HARMLESS:
            raise UnreadableError(each.node.name)
    if any(getattr(node, "name", "") in ("__new__", "__signature__") for node in each.node.body):
        raise UnreadableError(each.node.name)
    return found


def _fields(each: Class) -> Iterator[_Field]:
    """The fields that attrs makes of a class body."""
    keyword = any(
        isinstance(decorator, ast.Call)
        and any(item.arg == "kw_only" and evaluate(item.value, each.source) for item in decorator.keywords)
        for decorator in each.node.decorator_list
    )
    for node in each.node.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if isinstance(node.value, ast.Call):  # attrs.field(...)
            raise UnreadableError(node.target.id)
        head = node.annotation.value if isinstance(node.annotation, ast.Subscript) else node.annotation
        if evaluate(head, each.source) is ClassVar:
            continue
        hint = hint_of(node.annotation, each.source) if keyword else None
        default = REQUIRED if node.value is None else evaluate(node.value, each.source)
        asked_for = ((), False) if keyword else _asked_for(node.annotation, each.source)
        yield _Field(node.target.id.lstrip("_"), keyword, hint, default, asked_for)


def _arguments(constructor: ast.FunctionDef, source: Source) -> Iterator[_Field]:
    """The arguments of a written constructor, without ``self``."""
    arguments = constructor.args
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    given: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    for argument, default in zip(positional, [*given, *arguments.defaults], strict=True):
        asked_for = _asked_for(argument.annotation, source)
        yield _Field(argument.arg, False, None, REQUIRED if default is None else None, asked_for)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if argument.annotation is None:
            raise UnreadableError(argument.arg)
        value = REQUIRED if default is None else evaluate(default, source)
        yield _Field(argument.arg, True, hint_of(argument.annotation, source), value)


def _asked_for(node: ast.expr | None, source: Source) -> tuple[tuple[str, ...], bool]:
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
        found = look_up(source, node.id)
        line = (
            [f"{each.source.name}:{each.node.name}" for each in line_of(found)]
            if isinstance(found, Class)
            else []
        )
    # What cannot be read says no kind, as what is no class.
    except Exception:  # noqa: BLE001
        return (), False
    return tuple(dict.fromkeys(line)), many and bool(line)


def _is_mapping(node: ast.Subscript, source: Source) -> bool:
    return isinstance(node.value, ast.Name) and look_up(source, node.value.id) is Mapping
