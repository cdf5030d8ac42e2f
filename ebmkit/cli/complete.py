"""``ebmkit complete``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ebmkit.cli.options import (
    INFERENCE_STEP_SIZE,
    INFERENCE_STEPS,
    Condition,
    Output,
    RunName,
    Saved,
    Weights,
    which,
)
from ebmkit.cli.output import writing

if TYPE_CHECKING:
    from torch import Tensor

    from ebmkit.core import CooperativeScheduler, Rng

__all__ = ["complete"]

Start = Literal["generator", "zero"]


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
    start: Annotated[
        Start | None,
        typer.Option(
            help="Where hidden pixels start: as the generator explains the others, or at 0; by default at "
            "the generator's where the run has one."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many completions.")] = 8,
    steps: Annotated[
        int | None, typer.Option(min=0, help="Steps of the chain; by default as in training.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other completions.")] = 0,
    output: Output = None,
) -> None:
    """Complete or denoise a picture by what the networks remember."""
    import torch

    from ebmkit.applications.conditions import of_class, plain_generator
    from ebmkit.applications.loading import read_image, refuse_other_than_images
    from ebmkit.applications.sampling import load_schedule
    from ebmkit.core import Rng
    from ebmkit.errors import ConfigError
    from ebmkit.report import save_grid
    from ebmkit.run.weights import described
    from ebmkit.storage.folder import find_run

    folder = find_run(name)
    schedule, trained = load_schedule(folder, which=which(checkpoint), weights=weights)
    if schedule.energy is None or schedule.sampling_chain() is None:
        raise ConfigError(f"run {folder.name} has no energy, which is what completes pictures")
    from_generator = _starts_from_generator(schedule, start, masked=mask is not None, of=folder.name)
    conditioned = plain_generator if from_generator else of_class
    schedule = conditioned(schedule, trained.trained_on.classes, condition, of=folder.name)
    shape = trained.trained_on.shape
    refuse_other_than_images(folder, shape)
    device = next(schedule.parameters()).device
    picture = read_image(image, shape).to(device)
    known = torch.zeros(1, *shape[1:], device=device)
    if mask is not None:
        known = (read_image(mask, (1, *shape[1:])).to(device) > 0).float()
    shown = picture.where(known > 0, torch.zeros_like(picture)) if mask is not None else picture
    rng = Rng(seed).fold_in("complete")
    target = (output or folder.path / "completed") / f"{image.stem}.png"
    with writing(target.parent):
        begin = shown.expand(count, *shape)
        if from_generator:
            begin = _explained(schedule, begin, known, rng=rng.fold_in("start"))
        completed = schedule.complete(begin, known, rng=rng, steps=steps)
        if bool((completed == completed[:1]).all()):  # nothing was drawn: they are one
            completed = completed[:1]
        noun = "completion" if len(completed) == 1 else "completions"
        save_grid(target, torch.cat([picture[None], shown[None], completed]), limit=count + 2)
    print(f"{target}: the picture, what was shown of it, {len(completed)} {noun}")
    print(f"by {folder.name} after {described(trained, weights)}")


def _starts_from_generator(
    schedule: CooperativeScheduler, start: Start | None, *, masked: bool, of: str
) -> bool:
    """Whether hidden pixels start as the generator explains the others."""
    from ebmkit.errors import ConfigError

    if start is not None and not masked:
        raise ConfigError("--start is where hidden pixels start; without --mask all start from the picture")
    if start == "generator" and schedule.generator is None:
        raise ConfigError(f"run {of} has no generator to start from: --start zero, or leave it out")
    return masked and start != "zero" and schedule.generator is not None


def _explained(schedule: CooperativeScheduler, shown: Tensor, known: Tensor, *, rng: Rng) -> Tensor:
    """The pictures with their hidden pixels as the generator explains the others."""
    from ebmkit.applications.loading import chain_of
    from ebmkit.applications.recovery import explained

    assert schedule.generator is not None  # noqa: S101 - asked before
    inference = chain_of("langevin", steps=INFERENCE_STEPS, step_size=INFERENCE_STEP_SIZE)
    return explained(
        schedule.generator, shown, known.expand(len(shown), -1, -1, -1), inference=inference, rng=rng
    )
