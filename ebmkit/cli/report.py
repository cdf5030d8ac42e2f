"""``ebmkit report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ebmkit.cli.options import RunNames

__all__ = ["report"]


def report(
    names: RunNames = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File; by default report.html in the run folder.", show_default=False
        ),
    ] = None,
) -> None:
    """Write a run, or several side by side, as one page of HTML.

    Also while they train. The page needs nothing else: no script, no network.
    """
    from ebmkit.errors import ConfigError
    from ebmkit.report.page.render import write_page
    from ebmkit.storage.folder import find_runs

    folders = find_runs(names)
    path = output or (folders[0].path / "report.html" if len(folders) == 1 else Path("report.html"))
    try:
        write_page(folders, path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    print(f"wrote {path}")
