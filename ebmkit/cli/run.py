"""``ebmkit run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from ebmkit.cli.options import MaybeRunFile, Sets, Unsets
from ebmkit.cli.output import Json, answering
from ebmkit.errors import ConfigError
from ebmkit.run.signals import StopFlag, catch_signals

__all__ = ["run"]


def run(
    file: MaybeRunFile = None,
    set_: Sets = None,
    unset: Unsets = None,
    *,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Start the parts that another run has too from its weights.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue where this run exists already; start it where not.")
    ] = False,
    json: Json = False,
) -> None:
    """Train what a run file describes, in a new run folder."""
    with answering(as_json=json, vital=False) as answer, catch_signals() as stop:
        if file is None:
            raise ConfigError("ebmkit run takes a run file; ebmkit new --list shows some to start from")
        answer |= {"file": str(file), "errors": []}
        raise typer.Exit(_run(file, _Asked(set_ or [], unset or [], init_from, resume), stop, answer))


class _Asked(NamedTuple):
    """What the options of the command ask for."""

    overrides: list[str]
    removed: list[str]
    init_from: str | None
    resume: bool


def _run(file: Path, asked: _Asked, stop: StopFlag, answer: dict[str, Any]) -> int:
    from rich.console import Console

    from ebmkit.config import read_document
    from ebmkit.config.plan import make_plan
    from ebmkit.registry.discovery import Registry
    from ebmkit.registry.trust import remember, trusting
    from ebmkit.storage.folder import RUNS, RunFolder, find_run

    with trusting():  # it is the user's own file
        plan = make_plan(read_document(file, asked.overrides, asked.removed), Registry.discover())
    # Problems in the file are reported before torch is imported.
    from ebmkit.run.processes import restarted
    from ebmkit.run.start import resume_run, start_run

    for component in plan.components():
        if component.code is not None:
            remember(component.code.sha256, str(component.code.origin))
    folder = RunFolder(Path(plan.run.output) if plan.run.output else RUNS / file.stem)
    answer |= {"run": str(folder.path)}
    if (asked.resume or restarted()) and folder.config.is_file():
        return resume_run(plan, folder, Console(), stop=stop)
    source = find_run(asked.init_from) if asked.init_from else None
    return start_run(plan, folder, Console(), stop=stop, source=source)
