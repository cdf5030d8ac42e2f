"""``ebmkit interpolate``."""

from __future__ import annotations

from typing import Annotated

import typer

from ebmkit.cli.options import Condition, Output, RunName, Saved, Weights, which
from ebmkit.cli.output import writing

__all__ = ["interpolate"]


def interpolate(
    name: RunName = None,
    *,
    checkpoint: Saved = "newest",
    weights: Weights = None,
    condition: Condition = None,
    rows: Annotated[int, typer.Option(min=1, help="Straight lines.")] = 8,
    points: Annotated[int, typer.Option(min=2, help="Images a line, and a side of the sphere's grid.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the end points and anchors.")] = 0,
    output: Output = None,
) -> None:
    """Draw the generator's images along paths between latents.

    With two latent factors also their whole manifold, from -2 to 2.
    """
    import torch

    from ebmkit.applications.conditions import plain_generator
    from ebmkit.applications.interpolation import lines, manifold, sphere
    from ebmkit.applications.loading import refuse_other_than_images
    from ebmkit.applications.sampling import load_schedule
    from ebmkit.core import Rng
    from ebmkit.errors import ConfigError
    from ebmkit.report import save_grid
    from ebmkit.run.weights import described
    from ebmkit.storage.folder import find_run

    folder = find_run(name)
    schedule, trained = load_schedule(folder, which=which(checkpoint), weights=weights)
    schedule = plain_generator(schedule, trained.trained_on.classes, condition, of=folder.name)
    if (generator := schedule.generator) is None:
        raise ConfigError(f"run {folder.name} has no generator, so there are no latents to go between")
    refuse_other_than_images(folder, trained.trained_on.shape)
    target = output or folder.path / "interpolated"
    rng = Rng(seed).fold_in("interpolate")
    ends = generator.prior(2 * rows, rng=rng.fold_in("lines"))
    paths = {
        "lines": lines(ends[:rows], ends[rows:], points=points),
        "sphere": sphere(generator.prior(4, rng=rng.fold_in("sphere")), points=points),
    }
    if generator.latent_shape == (2,):
        paths["manifold"] = manifold(points=points).to(ends)
    with writing(target), torch.no_grad():
        for path, latents in paths.items():
            images = generator(latents)
            save_grid(target / f"{path}.png", images, limit=len(images), columns=points)
            print(str(target / f"{path}.png"))
    print(f"by {folder.name} after {described(trained, weights)}")
