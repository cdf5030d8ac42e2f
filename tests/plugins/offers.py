"""What a package of parts offers by its hooks, and what it has."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType

from ebmkit.registry.kinds import KINDS


def offered(hooks: ModuleType) -> Mapping[str, list[str]]:
    """By kind, the ``module:Class`` of every part that these hooks offer."""
    found = {kind.name: getattr(hooks, kind.hook, dict)() for kind in KINDS.values()}
    return {name: sorted(parts.values()) for name, parts in found.items() if parts}


def defined(package: ModuleType) -> Mapping[str, list[str]]:
    """By kind, the ``module:Class`` of every public class of that kind that the package's modules define."""
    names = [each.name for each in walk_packages(package.__path__, f"{package.__name__}.")]
    public = [
        each
        for module in map(import_module, names)
        for each in vars(module).values()
        if inspect.isclass(each) and each.__module__ == module.__name__ and each.__name__[0] != "_"
    ]
    found = {
        kind.name: sorted(f"{each.__module__}:{each.__name__}" for each in public if _is_of(each, kind.base))
        for kind in KINDS.values()
    }
    return {name: parts for name, parts in found.items() if parts}


def _is_of(part: type, base: str) -> bool:
    module, _, name = base.partition(":")
    return issubclass(part, getattr(import_module(module), name)) and not inspect.isabstract(part)
