"""Saves one state in one of several ways, and says which state can be loaded.

Tensors are a function of K, so that whoever loads can tell a whole state from a mixture.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.distributed.checkpoint.api import CheckpointException

SAVERS = ("ebmkit", "ebmkit best", "torch.save", "dcp")
"""``ebmkit best`` saves a checkpoint and keeps it as the best, and that one is loaded: each is better."""


def state(k: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(k)
    return {"weight": torch.randn(64, 64, generator=generator), "moment": torch.full((64, 64), float(k))}


def save(how: str, folder: Path, k: int) -> None:
    if how.startswith("ebmkit"):
        from ebmkit.storage.best import Best, keep_best
        from ebmkit.storage.checkpoint import Checkpoint, write_checkpoint
        from ebmkit.storage.facts import DataFacts, Facts

        tensors = state(k)
        files = {"energy": {"weight": tensors["weight"]}, "optimizer": {"moment": tensors["moment"]}}
        write_checkpoint(folder, Checkpoint(k, files, Facts(data=DataFacts((64, 64), 7))), keep=1)
        if how == "ebmkit best":
            keep_best(folder, Best("evaluation_kid", float(-k), k))
    elif how == "torch.save":
        torch.save({"k": k, **state(k)}, folder / "last.pt")
    else:
        from torch.distributed import checkpoint as dcp

        dcp.save({"k": torch.tensor(k), **state(k)}, checkpoint_id=folder / "last", no_dist=True)


def load(how: str, folder: Path) -> int:
    """The k of a whole state; 0 where nothing can be loaded or what can be is a mixture."""
    try:
        found = _load(how, folder)
    except (Exception, CheckpointException):  # noqa: BLE001 - whatever a damaged file makes a loader raise
        return 0
    k = int(found["moment"][0, 0])
    return k if all(torch.equal(found[name], value) for name, value in state(k).items()) else 0


def _load(how: str, folder: Path) -> dict[str, torch.Tensor]:
    if how.startswith("ebmkit"):
        from ebmkit.storage.best import open_checkpoint

        files = open_checkpoint(folder, "best" if how == "ebmkit best" else "newest").files
        return {**files["energy"], **files["optimizer"]}
    if how == "torch.save":
        found: dict[str, torch.Tensor] = torch.load(folder / "last.pt")
        return found
    from torch.distributed import checkpoint as dcp

    found = state(0) | {"k": torch.tensor(0)}
    dcp.load(found, checkpoint_id=folder / "last", no_dist=True)
    return found
