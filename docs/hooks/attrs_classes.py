"""Constructors of attrs classes, which griffe cannot see: it reads source text, and attrs writes them later.

Without them the pages would show such a class without its parameters, and its ``Args:`` could name any.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import attrs
from griffe import Class, Extension, Function, Module, Parameter, ParameterKind, Parameters

_KINDS = {
    inspect.Parameter.POSITIONAL_OR_KEYWORD: ParameterKind.positional_or_keyword,
    inspect.Parameter.KEYWORD_ONLY: ParameterKind.keyword_only,
}


class AttrsClasses(Extension):
    """Gives every attrs class the constructor that attrs writes for it."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Called when a whole package was read."""
        for each in list(_attrs_classes(pkg)):
            each.set_member("__init__", _constructor(each))


def _attrs_classes(found: Module | Class) -> Iterator[Class]:
    for each in found.members.values():
        if isinstance(each, Module | Class):  # an alias is neither
            yield from _attrs_classes(each)
    if isinstance(found, Class) and any(str(each.value).startswith("attrs.") for each in found.decorators):
        yield found


def _constructor(of: Class) -> Function:
    factory = getattr(importlib.import_module(of.module.path), of.name)
    wanted = inspect.signature(factory).parameters.values()
    itself = Parameter("self", kind=ParameterKind.positional_or_keyword)
    return Function("__init__", parameters=Parameters(itself, *(_parameter(of, each) for each in wanted)))


def _parameter(of: Class, wanted: inspect.Parameter) -> Parameter:
    """With the annotation and the default as they stand in the class or in those it inherits from."""
    fields = of.all_members
    field = fields[wanted.name if wanted.name in fields else f"_{wanted.name}"]
    default = None if wanted.default is inspect.Parameter.empty else field.value
    if wanted.default is attrs.NOTHING:  # a factory makes it
        default = "..."
    return Parameter(wanted.name, annotation=field.annotation, kind=_KINDS[wanted.kind], default=default)
