"""``ebmkit track``."""

from __future__ import annotations

from typing import Annotated

import typer

from ebmkit.cli.options import RunName

__all__ = ["track"]


def track(
    name: RunName = None,
    *,
    to: Annotated[str, typer.Option("--to", metavar="TRACKER", help="tensorboard, wandb, or another.")],
) -> None:
    """Show an existing run to a tracker, figures and pictures.

    The tracker has its default settings. Once more shows nothing twice in TensorBoard.
    """
    from ebmkit.config import read_document
    from ebmkit.registry.discovery import Registry
    from ebmkit.run.tracking import replay
    from ebmkit.storage.folder import find_run

    folder = find_run(name)
    component = Registry.discover().find("tracker", to)
    shown = replay(folder, component.factory(), read_document(folder.config, saved=True).data)
    print(f"{folder.name}: {shown} iterations shown to {component.name}")
