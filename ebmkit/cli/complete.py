"""``ebmkit complete``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ebmkit.cli.options import Condition, Output, RunName, Saved, Weights, which
from ebmkit.cli.output import writing

__all__ = ["complete"]


def complete(
    name: RunName = None,
    *,
    checkpoint: Saved = "newest",
    weights: Weights = None,
    condition: Condition = None,
    image: Annotated[Path, typer.Option(help="The picture to complete.", show_default=False)],
    mask: Annotated[
        Path | None,
        typer.Option(help="White where the picture is known; without it, all of it may move: denoising."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many completions.")] = 8,
    steps: Annotated[
        int | None, typer.Option(min=0, help="Steps of the chain; by default as in training.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other completions.")] = 0,
    output: Output = None,
) -> None:
    """Complete or denoise a picture by the descriptor's memory."""
    import torch

    from ebmkit.applications.conditions import of_class
    from ebmkit.applications.loading import read_image, refuse_other_than_images
    from ebmkit.applications.sampling import load_schedule
    from ebmkit.core import Rng
    from ebmkit.errors import ConfigError
    from ebmkit.report import save_grid
    from ebmkit.run.weights import described
    from ebmkit.storage.folder import find_run

    folder = find_run(name)
    schedule, trained = load_schedule(folder, which=which(checkpoint), weights=weights)
    schedule = of_class(schedule, trained.trained_on.classes, condition, of=folder.name)
    if schedule.energy is None or schedule.sampling_chain() is None:
        raise ConfigError(f"run {folder.name} has no energy, which is what completes pictures")
    shape = trained.trained_on.shape
    refuse_other_than_images(folder, shape)
    device = next(schedule.energy.parameters()).device
    picture = read_image(image, shape).to(device)
    known = torch.zeros(1, *shape[1:], device=device)
    if mask is not None:
        known = (read_image(mask, (1, *shape[1:])).to(device) > 0).float()
    start = picture.where(known > 0, torch.zeros_like(picture)) if mask is not None else picture
    rng = Rng(seed).fold_in("complete")
    target = (output or folder.path / "completed") / f"{image.stem}.png"
    with writing(target.parent):
        completed = schedule.complete(start.expand(count, *shape), known, rng=rng, steps=steps)
        if bool((completed == completed[:1]).all()):  # nothing was drawn: they are one
            completed = completed[:1]
        noun = "completion" if len(completed) == 1 else "completions"
        save_grid(target, torch.cat([picture[None], start[None], completed]), limit=count + 2)
    print(f"{target}: the picture, what was shown of it, {len(completed)} {noun}")
    print(f"by {folder.name} after {described(trained, weights)}")
