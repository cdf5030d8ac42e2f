"""A run file, checked, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ebmkit.config import as_toml, read_document
from ebmkit.config.plan import Plan, make_plan
from ebmkit.registry.discovery import Registry
from ebmkit.registry.trust import trusting

__all__ = ["load_plan"]


def load_plan(path: str | Path, *, overrides: Mapping[str, Any] | None = None) -> Plan:
    """Read and check a run file; torch is not imported.

    Args:
        path: of the run file.
        overrides: values by ``table.key``, as ``--set`` on the command line: ``{"run.device": "cpu"}``.

    Raises:
        ConfigProblemsError: everything that is wrong with it, at once.
    """
    sets = [f"{key}={as_toml(value)}" for key, value in (overrides or {}).items()]
    with trusting():  # a program names the file, so it is its own
        return make_plan(read_document(Path(path), sets), Registry.discover())
