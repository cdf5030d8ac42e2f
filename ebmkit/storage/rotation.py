"""The folders of a run's checkpoints: how one gets its name, and which of them stay.

A folder that is filled under a hidden name exists by one rename; what bore its name goes after that. What a
kill left in between is finished or removed at the next save.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from ebmkit.storage.durable import is_alive, sync

__all__ = [
    "NEW",
    "checkpoint_folder",
    "clean",
    "discard",
    "iteration_of",
    "listed",
    "publish",
    "rotate",
    "withdraw_after",
]

NEW = ".new"
"""Behind the name of a folder that replaces another, until that one is gone."""

_FOLDER = "iteration-{:07d}"
_PATTERN = re.compile(r"iteration-(\d{7,})(\.new)?")


def checkpoint_folder(folder: Path, iteration: int) -> Path:
    """Where the checkpoint of an iteration is, if there is one."""
    return folder / _FOLDER.format(iteration)


def withdraw_after(folder: Path, iteration: int) -> None:
    """Delete the checkpoints of later iterations: training goes on from here another way."""
    for path in listed(folder):
        if (iteration_of(path) or 0) > iteration:
            discard(path)


def publish(temporary: Path, target: Path) -> None:
    """Give a filled folder its name; what bears the name already goes only when this one is listed."""
    if target.exists():
        new = target.with_name(target.name + NEW)
        temporary.rename(new)
        settle(new)
    else:
        temporary.rename(target)
        sync(target.parent)


def settle(new: Path) -> None:
    """Finish a replacement: from here on the new checkpoint is found, under either name."""
    sync(new.parent)
    target = new.with_name(new.name.removesuffix(NEW))
    if target.exists():
        discard(target)
    new.rename(target)
    sync(target.parent)


def listed(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    found = [(match, path) for path in folder.glob("*") if (match := _PATTERN.fullmatch(path.name))]
    return [path for match, path in sorted(found, key=lambda each: (int(each[0][1]), each[1].name))]


def iteration_of(path: Path) -> int | None:
    """The iteration that the name of a checkpoint says; None for any other name."""
    found = _PATTERN.fullmatch(path.name)
    return int(found[1]) if found else None


def rotate(folder: Path, newest: Path, keep: int, protected: Collection[int]) -> None:
    """Delete all but the ``keep`` checkpoints up to the newest one, and those that are protected."""
    there = listed(folder)
    position = there.index(newest)
    older = [path for path in there[: max(position + 1 - keep, 0)] if iteration_of(path) not in protected]
    for path in (*older, *there[position + 1 :]):
        discard(path)


def discard(path: Path) -> None:
    """Delete a checkpoint so that a half-deleted one is never listed."""
    trash = path.with_name(f".trash-{path.name}-{time.monotonic_ns()}-{os.getpid()}")
    path.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def clean(folder: Path) -> None:
    """Finish or remove what a killed process left, before anything is written: a disk may be full of it."""
    for path in folder.glob(f"[!.]*{NEW}"):
        settle(path)
    for path in (*folder.glob(".trash-*"), *folder.glob(".tmp-*")):
        if not is_alive(path.name.rpartition("-")[2]):
            shutil.rmtree(path, ignore_errors=True)
