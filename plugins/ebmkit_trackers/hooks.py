"""What this plugin offers; the classes are imported when they are used."""

from __future__ import annotations

from collections.abc import Mapping

from ebmkit.plugin import hookimpl

__all__ = ["ebmkit_trackers"]


@hookimpl
def ebmkit_trackers() -> Mapping[str, str]:
    """TensorBoard; W&B and what has its interface."""
    return {
        "tensorboard": "ebmkit_trackers.tensorboard:TensorBoard",
        "wandb": "ebmkit_trackers.wandb:WandB",
    }
