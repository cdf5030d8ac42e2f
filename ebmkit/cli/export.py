"""``ebmkit export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ebmkit.cli.options import Saved, Weights, which
from ebmkit.cli.tab import runs

__all__ = ["export"]


def export(
    name: Annotated[
        str, typer.Argument(metavar="RUN", help="Run under runs/, or the path of one.", autocompletion=runs)
    ],
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")],
    *,
    checkpoint: Saved = "newest",
    weights: Weights = None,
    samples: Annotated[
        int, typer.Option(min=0, max=64, help="In each picture of samples; 0 draws none.")
    ] = 16,
) -> None:
    """Write what a run trained into a folder to hand on.

    Weights as one safetensors file for each part, the run file, a model card, pictures of samples, and a
    manifest with the SHA-256 of every file. Every command that uses a trained run takes the folder too.
    """
    from ebmkit.applications.export import export as write
    from ebmkit.storage.folder import find_run

    exported = write(find_run(name), target, which=which(checkpoint), weights=weights, samples=samples)
    for path in sorted(target.iterdir()):
        print(str(path))
    print(f"exported iteration {exported.iteration}; open it with: ebmkit sample {target}")
    if Path(str(exported.facts.config.get("data", {}).get("path", ""))).is_absolute():
        print(f"note: {target / 'config.toml'} holds the whole path of the data on this machine")
