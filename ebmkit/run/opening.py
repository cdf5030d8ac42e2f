"""Whether a run can be opened by its run file alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, final

from torch import Tensor

from ebmkit.core import Source
from ebmkit.errors import ConfigError, DataError
from ebmkit.plugin import hookimpl
from ebmkit.registry.discovery import Registry

__all__ = ["PROGRAM", "refuse_parts_of_a_program", "stand_in_for_data"]

PROGRAM = "program:"
"""Before the class in ``use``: a program built the part, and no run file can."""


def refuse_parts_of_a_program(tables: Mapping[str, Any], run: str) -> None:
    """Refuse to open a run by its run file alone where a program built parts of it.

    Args:
        tables: of the run file.
        run: what the run is called.

    Raises:
        ConfigError: names the parts, and what to do.
    """
    own = [(name, table["use"]) for name, table in tables.items() if _of_a_program(table)]
    if not own:
        return
    named = ", ".join(f"[{name}] {use.removeprefix(PROGRAM)}" for name, use in own)
    raise ConfigError(
        f"run {run} has parts that a program built, and only a program can hand them in again: {named}\n"
        f"In Python: ebmkit.Run.resume({run!r}, schedule, data=…) trains on, "
        f"ebmkit.load({run!r}, schedule=schedule) opens it"
    )


def stand_in_for_data(registry: Registry, tables: Mapping[str, Any]) -> None:
    """Let a run be opened whose data a program handed in: what is trained needs them no more.

    Args:
        registry: gets a source of that name, which cannot be built.
        tables: of the run file.
    """
    if not _of_a_program(tables.get("data")):
        return
    name = str(tables["data"]["use"]).removeprefix(PROGRAM)

    @hookimpl
    def ebmkit_sources() -> Mapping[str, type[Source]]:
        return {name: _HandedIn}

    module = ModuleType("program")
    vars(module)["ebmkit_sources"] = ebmkit_sources
    registry.register(module, name="program", distribution=PROGRAM.rstrip(":"), version="-")


@final
class _HandedIn(Source):
    """Data that a program handed in."""

    def __init__(self) -> None:
        raise DataError("a program handed these data in, and only a program can do it again")

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: Tensor) -> Tensor:
        return index


def _of_a_program(table: Any) -> bool:
    return isinstance(table, dict) and str(table.get("use", "")).startswith(PROGRAM)
