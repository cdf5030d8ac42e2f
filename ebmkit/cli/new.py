"""``ebmkit new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["new"]


def new(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Run file to begin with; --list shows them.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write; by default NAME.toml here.", show_default=False),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show the run files there are.")] = False,
) -> None:
    """Write a commented run file beside you, to start from."""
    from ebmkit.scaffold.run_files import run_file

    if list_ or name is None:
        _show()
        return
    file = run_file(name)
    path = output or Path(file.path.name)
    _write(path, file.text)
    print(f"wrote {path}: {file.title}")
    print(f"check it with: ebmkit check {path}\ntrain with:    ebmkit run {path}")


def _show() -> None:
    from rich.console import Console
    from rich.table import Table

    from ebmkit.scaffold.run_files import run_files

    table = Table.grid(padding=(0, 2))
    for file in run_files().values():
        table.add_row(file.name, file.title)
    Console(highlight=False, markup=False).print(table)


def _write(path: Path, text: str) -> None:
    from ebmkit.errors import ConfigError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists already; --output names another file") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
