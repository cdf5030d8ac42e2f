"""Which weights of a trained run are used: averages over its updates, or those of its last one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias, get_args

from ebmkit.errors import ConfigError
from ebmkit.storage.checkpoint import Checkpoint, Tensors

__all__ = ["Weights", "averages_of", "described", "weights_said"]

Weights: TypeAlias = Literal["averaged", "last"]
"""Which weights of a trained run: the average over its updates, or those of its last one."""


def averages_of(checkpoint: Checkpoint, weights: Weights | None, *, run: str) -> dict[str, Tensors]:
    """The averaged weights of a checkpoint that are to be used, by part.

    Args:
        checkpoint: which may have some.
        weights: which are asked for; None takes averaged ones where there are some.
        run: its name, for messages.

    Raises:
        ConfigError: averaged ones are asked for, and there are none; or there are no such weights.
    """
    if weights not in (*get_args(Weights), None):
        raise ConfigError(f"weights are 'averaged' or 'last', not {weights!r}")
    averages = {} if weights == "last" else checkpoint.averages()
    if weights == "averaged" and not averages:
        raise ConfigError(
            f"the checkpoint of iteration {checkpoint.iteration} of run {run} has no averaged weights: take "
            "--weights last. A run keeps some where the table of a part that learns has "
            "averaging = { decay = 0.99 }"
        )
    return averages


def described(checkpoint: Checkpoint, weights: Weights | None) -> str:
    """What was used, for people: ``iteration 600, averaged weights (energy, generator)``.

    Args:
        checkpoint: that was loaded.
        weights: that were asked for.
    """
    used = () if weights == "last" else checkpoint.averages()
    return f"iteration {checkpoint.iteration}, {weights_said(used)}"


def weights_said(parts: Collection[str]) -> str:
    """``averaged weights (energy, generator)`` where those of these parts are used, or ``last weights``."""
    return f"averaged weights ({', '.join(parts)})" if parts else "last weights"
