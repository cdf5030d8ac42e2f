"""``ebmkit plugins new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ebmkit.registry.kinds import KINDS, kind_named

__all__ = ["new_plugin"]


def _kind(word: str) -> str:
    """The name of a kind; its other words are understood."""
    if (kind := kind_named(word)) is None:
        raise typer.BadParameter(f"{word!r} is not a kind of part: there are {', '.join(KINDS)}")
    return kind.name


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the part, such as my-sampler.")],
    *,
    kind: Annotated[
        str,
        typer.Option(
            help=f"What it is: {', '.join(KINDS)}.",
            metavar="KIND",
            callback=_kind,
            autocompletion=lambda: list(KINDS),
            show_default=False,
        ),
    ],
    folder: Annotated[Path, typer.Option(help="Where the folder ebmkit-NAME is made.")] = Path(),
) -> None:
    """Write a new plugin as a whole distribution.

    It installs, passes its checks and trains before you have written a line.
    """
    from ebmkit.errors import ConfigError
    from ebmkit.registry.discovery import Registry
    from ebmkit.scaffold import refuse_taken, write_plugin

    offered = [each for each in Registry.discover().components(kind) if each.name == name]
    if offered:
        raise ConfigError(f"{offered[0].owner} has this name already: choose another")
    refuse_taken(name, kind)
    written = write_plugin(name, kind, folder)
    part = written.name.removeprefix("ebmkit-")
    module = written.name.replace("-", "_")
    print(f"{written} holds the {kind} {part!r}: write yours in {module}/{part.replace('-', '_')}.py\n")
    print(f"  cd {written}")
    print("  pip install -e .")
    print(f"  ebmkit plugins check {kind}/{part} --quick")
    print("  ebmkit run example.toml")
