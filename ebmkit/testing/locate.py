"""Find the class that a command line means."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ebmkit.errors import ConfigError, PluginError
from ebmkit.messages.spelling import did_you_mean
from ebmkit.testing.subject import kind_of

__all__ = ["load_class"]


def load_class(place: str) -> Callable[..., Any]:
    """The class of ``path/to/file.py:Class``, or of ``path/to/file.py`` where that defines one part.

    The file is run, so it must be yours to trust.

    Raises:
        ConfigError: the text is not of that form, there is no such file, or it is not clear which class.
        PluginError: the file cannot be imported, has no such class or no part.
    """
    file, name = (place, "") if place.endswith(".py") else place.rpartition(":")[::2]
    path = Path(file)
    if path.suffix != ".py" or (not name and file != place):
        raise ConfigError(f"{place!r} is not FILE.py:CLASS")
    if not path.is_file():
        raise ConfigError(f"{file} does not exist")
    module = _import(path)
    parts = _parts(module)
    if not parts and not name:
        raise PluginError(f"{file} defines no part")
    if len(parts) > 1 and not name:
        choices = " or ".join(f"{file}:{each}" for each in parts)
        raise ConfigError(f"{file} defines several parts: say {choices}")
    found = getattr(module, name or parts[0], None)
    if not callable(found):
        hint = f"; {said}" if (said := did_you_mean(name, parts)) else ""
        raise PluginError(f"{file} has no class {name!r}; it defines {', '.join(parts) or 'no part'}{hint}")
    return found  # type: ignore[no-any-return]


def _parts(module: ModuleType) -> list[str]:
    """The names of the parts that a module defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if kind_of(value) and value.__module__ == module.__name__ and not inspect.isabstract(value)
    ]


def _import(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise PluginError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(specification)
    # Annotations are resolved, and what it pickles is found, by way of this table.
    sys.modules[path.stem] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module
