"""Exporting what a run trained: a folder to hand on, which opens like a run."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from torch import Tensor

from ebmkit.applications.card import card
from ebmkit.applications.conditions import conditions
from ebmkit.applications.sampling import draw, load_schedule
from ebmkit.core import CooperativeScheduler, takes_conditions
from ebmkit.report.grids import can_be_drawn, grid_of
from ebmkit.run.weights import Weights, described
from ebmkit.storage.best import Which
from ebmkit.storage.capture import tensors_of
from ebmkit.storage.checkpoint import Checkpoint
from ebmkit.storage.export import write_export
from ebmkit.storage.folder import RunFolder

__all__ = ["export"]

_SEED = 0
"""Of the samples in the pictures."""


def export(
    folder: RunFolder,
    target: Path,
    *,
    which: Which = "newest",
    weights: Weights | None = None,
    samples: int = 16,
) -> Checkpoint:
    """Write the weights of a run, its run file, a model card and pictures of samples into a new folder.

    Args:
        folder: of a run with at least one checkpoint, or an export.
        target: the folder; a new or an empty one.
        which: an iteration, the best by a figure, or the newest good checkpoint.
        weights: of that checkpoint; None takes averaged ones where it has them.
        samples: in each picture, up to 64; 0 draws none.

    Returns:
        what was exported.

    Raises:
        EbmkitError: no good checkpoint, a part that is not installed, or a folder that cannot be written.
    """
    schedule, saved = load_schedule(folder, which=which, weights=weights)
    exported = attrs.evolve(saved, files=tensors_of(schedule))
    pictures = _pictures(schedule, saved.trained_on.classes, samples) if samples else {}
    said = described(saved, weights)
    text = card(folder, schedule, exported, target=target.absolute(), weights=said, pictures=list(pictures))
    config = folder.config.read_bytes()
    write_export(target, exported, {"config.toml": config, "README.md": text.encode(), **pictures})
    return exported


def _pictures(schedule: CooperativeScheduler, classes: Sequence[str], count: int) -> Mapping[str, bytes]:
    """A PNG of each set of images or sequences among samples: those of ``ebmkit sample --seed 0``."""
    known = classes if takes_conditions(schedule) else ()
    rows = conditions(known, None, first=0, count=count)
    made = draw(schedule, count=count, seed=_SEED, condition=rows)
    return {f"{name}.png": _png(x) for name, x in made.items() if name != "latents" and can_be_drawn(x)}


def _png(examples: Tensor) -> bytes:
    content = io.BytesIO()
    grid_of(examples).save(content, "PNG")
    return content.getvalue()
