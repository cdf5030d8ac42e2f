"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Data", "Output", "RunFile", "RunName", "Sets"]

RunFile = Annotated[Path, typer.Argument(metavar="FILE", help="Run file (TOML).", show_default=False)]
RunName = Annotated[str, typer.Argument(metavar="NAME", help="Run under runs/, or the path of one.")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="TABLE.KEY=VALUE", help="Override a key; may be repeated.", show_default=False
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(help="Folder or zip of images; by default the run's own data.", show_default=False),
]
Output = Annotated[
    Path | None, typer.Option(help="Folder; by default inside the run folder.", show_default=False)
]
