"""``ebmkit sample``."""

from __future__ import annotations

from typing import Annotated

import typer

from ebmkit.cli.options import Output, RunName, Saved, Steps, Weights, which
from ebmkit.cli.output import writing

__all__ = ["sample"]


def sample(
    name: RunName = None,
    *,
    checkpoint: Saved = "newest",
    weights: Weights = None,
    count: Annotated[int, typer.Option(min=1, help="How many samples.")] = 64,
    seed: Annotated[int, typer.Option(help="Another seed gives other samples.")] = 0,
    steps: Steps = None,
    size: Annotated[
        int | None,
        typer.Option(min=1, help="Side in pixels; only fully convolutional parts have other than their own."),
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Draw one class of labelled data, by its name or number; by default all of them in turn.",
            show_default=False,
        ),
    ] = None,
    output: Output = None,
) -> None:
    """Draw samples from a trained run: PNG grids and tensors."""
    from ebmkit.applications.sampling import draw_samples, write_samples
    from ebmkit.run.processes import joined
    from ebmkit.run.weights import described
    from ebmkit.storage.folder import find_run

    folder = find_run(name)
    name_of = f"{condition}-seed-{seed}" if condition else f"seed-{seed}"
    target = output or folder.path / "generated" / name_of
    with writing(target):
        with joined() as crew, crew.explaining(folder.name):
            trained, samples = draw_samples(
                folder,
                count=count,
                seed=seed,
                steps=steps,
                size=size,
                which=which(checkpoint),
                weights=weights,
                condition=condition,
            )
        if not crew.leads:
            return
        for path in write_samples(target, samples):
            print(str(path))
    print(f"{count} samples of {folder.name} after {described(trained, weights)}")
