"""Samples from a trained run: the generator's proposals, and the same revised by the energy."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ebmkit.applications.conditions import class_named, conditions
from ebmkit.core import CooperativeScheduler, Rng, gather, takes_conditions, world
from ebmkit.core.averaging import take_averages
from ebmkit.errors import CheckpointError, ConfigError
from ebmkit.report import can_be_drawn, save_grid
from ebmkit.run.build import build_schedule, choose_device
from ebmkit.run.trained import open_trained
from ebmkit.run.weights import Weights, averages_of
from ebmkit.storage.best import Which
from ebmkit.storage.checkpoint import Checkpoint
from ebmkit.storage.folder import RunFolder
from ebmkit.training.guard import easing

__all__ = ["draw", "draw_samples", "load_schedule", "refuse_steps_of_nothing", "write_samples"]

_CHUNK = 64


def load_schedule(
    folder: RunFolder, *, size: int | None = None, which: Which = "newest", weights: Weights | None = None
) -> tuple[CooperativeScheduler, Checkpoint]:
    """The trained parts of a run in eval mode, without its data, and the checkpoint they came from.

    Args:
        folder: of a run with at least one checkpoint.
        size: side of the images in pixels, for parts whose weights know no size; None takes the
            run's own.
        which: an iteration, the best by a figure, or the newest good checkpoint.
        weights: of that checkpoint; None takes averaged ones where it has them. Of a generator with averaged
            weights batch statistics are taken anew.

    Raises:
        EbmkitError: a run file that is broken or was edited, no good checkpoint, or the run needs a part
            that is not installed.
    """
    plan, checkpoint = open_trained(folder, which)
    averages = averages_of(checkpoint, weights, run=folder.name)
    plan = plan.eased(*easing(checkpoint.facts.rollbacks))
    data = checkpoint.trained_on
    device = choose_device(plan.run.device)
    if size is not None and len(data.shape) != 3:  # noqa: PLR2004
        raise ConfigError(f"run {folder.name} has examples of shape {data.shape}: only images have a --size")
    shape = data.shape if size is None else (data.shape[0], size, size)
    schedule = build_schedule(
        plan, shape=shape, examples=data.examples, device=device, classes=len(data.classes)
    )
    try:
        schedule.load_state_dict(checkpoint.model_state())
    except RuntimeError as error:
        if size is not None:
            message = f"the parts of {folder.name} have weights for one size of image alone"
            raise ConfigError(message) from None
        raise CheckpointError(f"the checkpoint does not fit {folder.config}: {error}") from None
    take_averages(schedule, averages, rng=Rng(plan.run.seed))
    return schedule.eval(), checkpoint


def draw_samples(
    folder: RunFolder,
    *,
    count: int,
    seed: int,
    steps: int | None = None,
    size: int | None = None,
    which: Which = "newest",
    weights: Weights | None = None,
    condition: str | None = None,
) -> tuple[Checkpoint, dict[str, Tensor]]:
    """Propose and revise ``count`` samples.

    Several processes draw a part each, and every one gets all: the same bits with any number of them.

    Args:
        folder: of a run with at least one checkpoint.
        count: how many.
        seed: of the latents and the noise.
        steps: of the revision; None takes the run's own number.
        size: side of the images; None takes the run's own.
        which: checkpoint, as in ``load_schedule``.
        weights: likewise.
        condition: a class, by its name or number; None takes all of them in turn.

    Returns:
        the checkpoint, and ``proposal``, ``latents``, ``revised``, each
        ``(count, *S)`` on the CPU, and ``condition``, ``(count,)``, where the run has them.

    Raises:
        ConfigError: no such class, or steps of a schedule that revises nothing.
    """
    schedule, checkpoint = load_schedule(folder, size=size, which=which, weights=weights)
    classes = checkpoint.trained_on.classes if takes_conditions(schedule) else ()
    wanted = None if condition is None else class_named(condition, classes, of=folder.name)
    rows = conditions(classes, wanted, first=0, count=count)
    return checkpoint, draw(schedule, count=count, seed=seed, steps=steps, condition=rows)


def draw(
    schedule: CooperativeScheduler,
    *,
    count: int,
    seed: int,
    steps: int | None = None,
    condition: Tensor | None = None,
) -> dict[str, Tensor]:
    """The samples of ``draw_samples``, of a schedule that is there.

    Args:
        schedule: trained.
        count: how many.
        seed: of the latents and the noise.
        steps: of the revision; None takes the run's own number.
        condition: of each sample, ``(count, *K)``.

    Raises:
        ConfigError: steps of a schedule that revises nothing.
    """
    refuse_steps_of_nothing(schedule, steps)
    chunks = range(0, count, _CHUNK)
    pieces = []
    for first in chunks[world().rows(len(chunks))]:
        rows = None if condition is None else condition[first : first + _CHUNK]
        rng = Rng(seed, first_chain=first).fold_in("sample")
        pieces.append(_draw(schedule, min(_CHUNK, count - first), rng, steps, rows))
    if not pieces:  # more processes than chunks; the others need to know the shapes alone
        row = None if condition is None else condition[:1]
        pieces = [{name: x[:0] for name, x in _draw(schedule, 1, Rng(seed), 0, row).items()}]
    parts = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
    return {name: gather(x).cpu() for name, x in parts.items()}


def refuse_steps_of_nothing(schedule: CooperativeScheduler, steps: int | None) -> None:
    """For samples that no chain moves, which would be the same with any number of steps.

    Raises:
        ConfigError: steps are asked for, and the schedule has no chain to take them.
    """
    if steps and schedule.sampling_chain() is None:
        kind = type(schedule).__name__
        raise ConfigError(f"steps = {steps}: {kind} has no chain that revises samples; leave the steps out")


def write_samples(folder: Path, samples: dict[str, Tensor]) -> list[Path]:
    """One PNG grid for each set of images or sequences and ``samples.safetensors``; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, x in samples.items():
        if name != "latents" and can_be_drawn(x):
            paths.append(folder / f"{name}.png")
            save_grid(paths[-1], x, limit=len(x))
    paths.append(folder / "samples.safetensors")
    paths[-1].write_bytes(safetensors.torch.save(samples))
    return paths


def _draw(
    schedule: CooperativeScheduler, count: int, rng: Rng, steps: int | None, condition: Tensor | None
) -> dict[str, Tensor]:
    made = schedule.given(condition).sample(count, rng=rng, steps=steps)
    sets = made._replace(condition=condition)._asdict()
    return {name: x for name, x in sets.items() if x is not None}
