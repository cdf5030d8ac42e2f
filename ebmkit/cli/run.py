"""``ebmkit run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ebmkit.cli.options import RunFile, Sets
from ebmkit.cli.output import Json, answering
from ebmkit.run.signals import StopFlag, catch_signals

__all__ = ["run"]


def run(
    file: RunFile,
    set_: Sets = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Start the parts that another run has too from its weights.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Train what a run file describes, in a new run folder."""
    with answering(as_json=json, vital=False) as answer, catch_signals() as stop:
        answer |= {"file": str(file), "errors": []}
        raise typer.Exit(_run(file, set_ or [], init_from, stop, answer))


def _run(
    file: Path, overrides: list[str], init_from: str | None, stop: StopFlag, answer: dict[str, Any]
) -> int:
    from rich.console import Console

    from ebmkit.config import read_document
    from ebmkit.config.plan import make_plan
    from ebmkit.registry.discovery import Registry
    from ebmkit.storage.folder import RUNS, RunFolder, find_run

    plan = make_plan(read_document(file, overrides), Registry.discover())
    # What is wrong with the file is told before torch is imported.
    from ebmkit.run.processes import restarted
    from ebmkit.run.session import resume_run, start_run

    folder = RunFolder(Path(plan.run.output) if plan.run.output else RUNS / file.stem)
    answer |= {"run": str(folder.path)}
    if restarted() and folder.config.is_file():
        return resume_run(plan, folder, Console(), stop=stop)
    source = find_run(init_from) if init_from else None
    return start_run(plan, folder, Console(), stop=stop, source=source)
