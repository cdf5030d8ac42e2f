"""``ebmkit resume``."""

from __future__ import annotations

from typing import Annotated

import typer

from ebmkit.cli.options import Sets

__all__ = ["resume"]

_HARMLESS = ("iterations", "device", "log_every", "samples_every", "checkpoint_every", "keep", "rank_timeout")


def resume(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="Run under runs/, or the path of one; by default the last one."
        ),
    ] = None,
    set_: Sets = None,
) -> None:
    """Continue a run exactly where it stopped."""
    from ebmkit.signals import catch_signals

    with catch_signals() as stop:
        from rich.console import Console

        from ebmkit.config import read_document
        from ebmkit.errors import ConfigError
        from ebmkit.plan import make_plan
        from ebmkit.registry import Registry
        from ebmkit.rundir import find_run
        from ebmkit.runner import resume_run

        folder = find_run(name)
        document = read_document(folder.config, set_ or ())
        for key, argument in document.overrides.items():
            if key[0] != "run" or key[-1] not in _HARMLESS:
                allowed = ", ".join(f"run.{each}" for each in _HARMLESS)
                raise ConfigError(
                    f"--set {argument} would make it another run; a resumed run may change {allowed}"
                )
        plan = make_plan(document, Registry.discover())
        raise typer.Exit(resume_run(plan, folder, Console(), stop=stop))
