"""``ebmkit resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.options import RunName, Sets
from ebmkit.run.signals import StopFlag, catch_signals

if TYPE_CHECKING:
    from ebmkit.config.changes import Allowed

__all__ = ["resume"]


def resume(
    name: RunName = None,
    set_: Sets = None,
    allow_change: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE.KEY",
            help="Go on though this key of the run file changed; may be repeated.",
            show_default=False,
        ),
    ] = None,
    accept_data_change: Annotated[
        bool, typer.Option("--accept-data-change", help="Go on though the data changed.")
    ] = False,
) -> None:
    """Continue a run exactly where it stopped."""
    from ebmkit.config.changes import Allowed

    with catch_signals() as stop:
        raise typer.Exit(_resume(name, set_ or [], Allowed(allow_change or (), accept_data_change), stop))


def _resume(name: str | None, overrides: list[str], allowed: Allowed, stop: StopFlag) -> int:
    from rich.console import Console

    from ebmkit.config import read_document
    from ebmkit.config.plan import make_plan
    from ebmkit.registry.discovery import Registry
    from ebmkit.registry.trust import changes_allowed, remember
    from ebmkit.run.opening import refuse_parts_of_a_program
    from ebmkit.run.start import resume_run
    from ebmkit.storage.folder import find_run

    folder = find_run(name)
    document = read_document(folder.config, overrides, saved=True)
    refuse_parts_of_a_program(document.data, folder.name)
    with changes_allowed(any(key.rpartition(".")[2] == "use" for key in allowed.keys)):
        plan = make_plan(document, Registry.discover())
    for component in plan.components():
        if component.code is not None:
            remember(component.code.sha256, str(component.code.origin))
    return resume_run(plan, folder, Console(), stop=stop, allowed=allowed)
