"""What a class takes: its parameters with types, ranges, defaults and docs, and its parts.

The constructor is the only schema there is. Keyword-only parameters are TOML keys, positional
ones are parts; plain classes and attrs classes read alike.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from ebmkit.messages.brief import brief

__all__ = ["REQUIRED", "Parameter", "PartSlot", "Signature", "argument_docs", "lineage_of", "signature_of"]

REQUIRED: Any = inspect.Parameter.empty
"""The default of a parameter that has none."""

_OF_NO_PART = ("builtins", "abc", "torch", "typing")


@attrs.frozen
class Parameter:
    """One TOML key: its type with its ranges, its default (or ``REQUIRED``) and its doc."""

    name: str
    hint: Any
    default: Any
    doc: str


@attrs.frozen
class PartSlot:
    """One part a class asks for by name.

    Attributes:
        name: of the argument, and of the table that names the part.
        required: whether it has no default.
        lineage: the class that annotates it and those it is derived from, ``module:Class``, where they are
            defined: they say the kind of part. Empty where the annotation is no class.
        many: whether it takes a mapping of such parts, ``Mapping[str, Energy]``.
    """

    name: str
    required: bool
    lineage: tuple[str, ...] = ()
    many: bool = False


@attrs.frozen
class Signature:
    """The parts and the parameters of a class."""

    parts: tuple[PartSlot, ...]
    parameters: tuple[Parameter, ...]

    def __repr__(self) -> str:
        return brief(self)

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of this name, or None."""
        return next((each for each in self.parameters if each.name == name), None)


@functools.cache
def signature_of(factory: Callable[..., Any]) -> Signature:
    """Read the constructor of a class.

    Raises:
        TypeError: a keyword-only parameter has no type annotation.
    """
    hints = _hints(factory)
    classes = inspect.getmro(factory) if isinstance(factory, type) else (factory,)
    docs = argument_docs(inspect.getdoc(each) or "" for each in reversed(classes))
    parts, parameters = [], []
    for each in inspect.signature(factory).parameters.values():
        if each.kind is inspect.Parameter.KEYWORD_ONLY:
            if each.name not in hints:
                raise TypeError(f"{factory.__name__}: parameter {each.name!r} has no type annotation")
            parameters.append(Parameter(each.name, hints[each.name], each.default, docs.get(each.name, "")))
        elif each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            lineage, many = _asked_for(hints.get(each.name))
            parts.append(PartSlot(each.name, each.default is REQUIRED, lineage, many))
    return Signature(tuple(parts), tuple(parameters))


def _asked_for(hint: Any) -> tuple[tuple[str, ...], bool]:
    """The line of the class in an annotation, and whether many of it are asked for."""
    if get_origin(hint) in (Union, UnionType):  # Energy | None
        hint = next((each for each in get_args(hint) if each is not NoneType), None)
    many = get_origin(hint) is Mapping
    hint = get_args(hint)[-1] if many else hint
    if not isinstance(hint, type):
        return (), False
    line = lineage_of(hint)
    return line, many and bool(line)


def lineage_of(kind: type) -> tuple[str, ...]:
    """A class and those it is derived from, ``module:Class``, but for those that say no kind of part."""
    line = (each for each in kind.__mro__ if not _is_of_no_part(each.__module__))
    return tuple(f"{each.__module__}:{each.__qualname__}" for each in line)


def _is_of_no_part(module: str) -> bool:
    """Whether the classes of a module say no kind of part."""
    return (
        module.partition(".")[0] in ("builtins", "abc", "torch", "typing")
        or module == "ebmkit.parameters.ranges"
    )


def _hints(factory: Callable[..., Any]) -> dict[str, Any]:
    # An attrs class keeps its annotations on the class, where they resolve in its own module.
    is_attrs_class = isinstance(factory, type) and attrs.has(factory)
    return get_type_hints(factory if is_attrs_class else factory.__init__, include_extras=True)


def argument_docs(texts: Iterable[str]) -> dict[str, str]:
    """Name to text of the ``Args:`` sections of docstrings, the last one winning."""
    docs: dict[str, str] = {}
    for text in texts:
        docs |= _argument_section(text)
    return docs


def _argument_section(doc: str) -> dict[str, str]:
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", doc, re.MULTILINE)
    if section is None:
        return {}
    docs: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(section[1]).splitlines():
        if (entry := re.match(r"(\w+): +(.*)", line)) is not None:
            name = entry[1]
            docs[name] = entry[2]
        elif name and line.strip():
            docs[name] += " " + line.strip()
    return docs
