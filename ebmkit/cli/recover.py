"""``ebmkit recover``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ebmkit.cli.options import (
    INFERENCE_STEP_SIZE,
    INFERENCE_STEPS,
    Condition,
    Data,
    Output,
    RunName,
    Saved,
    Sets,
    Weights,
    which,
)
from ebmkit.cli.output import writing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch
    from torch import Tensor

    from ebmkit.applications.recovery import Method, Score

__all__ = ["recover"]

_PICTURED = 8


def recover(
    name: RunName = None,
    *,
    checkpoint: Saved = "newest",
    weights: Weights = None,
    condition: Condition = None,
    data: Data = None,
    mask_size: Annotated[str, typer.Option(help="Sides of the hidden squares, pixels.")] = "20,30,40",
    count: Annotated[int, typer.Option(min=1, help="How many images.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the squares and the noise.")] = 0,
    steps: Annotated[int, typer.Option(min=0, help="Steps of the inference of latents.")] = INFERENCE_STEPS,
    step_size: Annotated[float, typer.Option(help="Step size of the inference.")] = INFERENCE_STEP_SIZE,
    restarts: Annotated[int, typer.Option(min=1, help="Inferences an image, averaged.")] = 1,
    sampler: Annotated[str, typer.Option(help="Sampler of the inference.")] = "langevin",
    revision_steps: Annotated[
        int | None, typer.Option(min=0, help="Steps of the descriptor; by default as in training.")
    ] = None,
    output: Output = None,
    set_: Sets = None,
) -> None:
    """Recover hidden squares of images; compare with seven methods."""
    from ebmkit.applications.conditions import plain_generator
    from ebmkit.applications.loading import chain_of, load_images, refuse_other_than_images
    from ebmkit.applications.recovery import learned_methods, unlearned_methods
    from ebmkit.applications.sampling import load_schedule
    from ebmkit.run.weights import described
    from ebmkit.storage.folder import find_run

    folder = find_run(name)
    schedule, trained = load_schedule(folder, which=which(checkpoint), weights=weights)
    schedule = plain_generator(schedule, trained.trained_on.classes, condition, of=folder.name)
    shape = trained.trained_on.shape
    refuse_other_than_images(folder, shape)
    sizes = _sizes(mask_size, side=min(shape[1:]))
    x = load_images(folder, data=data, overrides=set_ or (), count=count, shape=shape)
    inference = chain_of(sampler, steps=steps, step_size=step_size)
    learned = learned_methods(schedule, inference=inference, restarts=restarts, steps=revision_steps)
    methods = {**learned, **unlearned_methods()}
    target = output or folder.path / "recovered"
    device = next(schedule.parameters()).device
    with writing(target):
        scores = _recovered(methods, x, sizes, seed=seed, target=target, device=device)
    _show(scores, sizes)
    print(f"columns of the pictures: original, hidden, {', '.join(methods)}")
    print(f"scores and pictures are in {target}")
    print(f"by {folder.name} after {described(trained, weights)}")


def _recovered(
    methods: Mapping[str, Method],
    x: Tensor,
    sizes: Sequence[int],
    *,
    seed: int,
    target: Path,
    device: torch.device,
) -> list[Score]:
    """Recover squares of each size; write the pictures and the scores."""
    import json

    import attrs
    import torch

    from ebmkit.applications.recovery import recover
    from ebmkit.core import Rng, square_masks
    from ebmkit.report import save_grid

    scores = []
    for size in sizes:
        rng = Rng(seed).fold_in("recover", size)
        mask = square_masks(len(x), tuple(x.shape[1:]), size=size, rng=rng.fold_in("squares"))
        pictures = [x, mask * x]
        for score, filled in recover(methods, x.to(device), mask_size=size, rng=rng):
            scores.append(score)
            pictures.append(filled.cpu())
        rows = torch.stack([each[:_PICTURED] for each in pictures], 1).flatten(0, 1)
        save_grid(target / f"squares-{size}.png", rows, limit=len(rows), columns=len(pictures))
    (target / "scores.json").write_text(json.dumps([attrs.asdict(score) for score in scores], indent=1))
    return scores


def _sizes(text: str, *, side: int) -> list[int]:
    from ebmkit.errors import ConfigError
    from ebmkit.messages.quoting import quoted

    try:
        sizes = [int(size) for size in text.split(",")]
    except ValueError:
        raise ConfigError(f"--mask-size takes whole numbers such as 20,30,40; got {quoted(text)}") from None
    if not all(1 <= size <= side for size in sizes):
        raise ConfigError(f"--mask-size {text}: squares in these images have 1 to {side} pixels a side")
    return sizes


def _show(scores: list[Score], sizes: list[int]) -> None:
    """Two tables, a row for each method and a column for each size."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for norm, what in (("l1", "mean absolute"), ("l2", "root mean square")):
        console.print(
            f"\n{what} error of hidden pixels, range [-1, 1], {scores[0].images} images, ± standard error",
            highlight=False,
        )
        table = Table("method", *(f"{size}x{size}" for size in sizes), box=None, pad_edge=False)
        for method in dict.fromkeys(score.method for score in scores):
            row = [score for score in scores if score.method == method]
            table.add_row(method, *(_cell(getattr(s, norm), getattr(s, f"{norm}_error")) for s in row))
        console.print(table, highlight=False)


def _cell(mean: float, error: float) -> str:
    return f"{mean:.4f} ± {error:.4f}"
