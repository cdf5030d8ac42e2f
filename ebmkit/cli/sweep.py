"""``ebmkit sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.options import Sets
from ebmkit.run.signals import StopFlag, catch_signals

if TYPE_CHECKING:
    from rich.console import Console

    from ebmkit.applications.sweep.study import Study

__all__ = ["sweep"]


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Sweep file (TOML).", show_default=False)],
    set_: Sets = None,
) -> None:
    """Train a run file with many values of a few keys.

    Each trial is a run of its own, in runs/NAME/NUMBER. The same command again goes on where it was
    interrupted; started several times at once, also on several machines, the processes share the trials.
    """
    from rich.console import Console

    from ebmkit.applications.sweep.file import read_sweep
    from ebmkit.applications.sweep.opening import open_study
    from ebmkit.storage.folder import RUNS

    with catch_signals() as stop:
        asked = read_sweep(file, set_ or ())
        asked.check()
        study = open_study(asked, RUNS / asked.table.name)
        raise typer.Exit(_drive(study, Console(), stop))


def _drive(study: Study, console: Console, stop: StopFlag) -> int:
    """Train, and show what came of it; the exit code."""
    from ebmkit.applications.sweep.drive import drive, refuse_several_processes
    from ebmkit.applications.sweep.table import ranked, table_of, write_sweep_page

    refuse_several_processes()
    code = drive(study, console, stop)
    trials = ranked(study)
    console.print()
    console.print(table_of(study, trials), highlight=False)
    try:
        page = write_sweep_page(study, trials)
    except OSError as error:
        console.print(f"warning: the page cannot be written: {error}", highlight=False, soft_wrap=True)
    else:
        console.print(f"side by side: {page}" if page else "no trial has begun", highlight=False)
    open_ = sum(each.state in ("running", "resumable") for each in trials)
    left = open_ + study.file.trials - len(trials)
    if left > 0:
        console.print(
            f"{left} of {study.file.trials} trials are not done; the same command goes on with them"
        )
    if code == 0 and trials and all(each.state in ("failed", "diverged") for each in trials):
        return trials[-1].exit_code or 3
    return code
