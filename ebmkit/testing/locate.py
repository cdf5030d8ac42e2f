"""Find the class that a command line means."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ebmkit.errors import ConfigError, PluginError

__all__ = ["load_class"]


def load_class(place: str) -> Callable[..., Any]:
    """The class of ``path/to/file.py:Class``; the file is run, so it must be yours to trust.

    Raises:
        ConfigError: the text is not of that form, or there is no such file.
        PluginError: the file cannot be imported or has no such class.
    """
    file, colon, name = place.rpartition(":")
    path = Path(file)
    if not colon or not name or path.suffix != ".py":
        raise ConfigError(f"{place!r} is not FILE.py:CLASS")
    if not path.is_file():
        raise ConfigError(f"{file} does not exist")
    module = _import(path)
    found = getattr(module, name, None)
    if not callable(found):
        classes = sorted(key for key, value in vars(module).items() if isinstance(value, type))
        raise PluginError(f"{file} has no class {name!r}; it has {', '.join(classes) or 'none'}")
    return found  # type: ignore[no-any-return]


def _import(path: Path) -> object:
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
