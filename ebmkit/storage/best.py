"""The best checkpoint of a run by a figure, kept beside the newest ones.

It lies in a folder of its own, ``best/``, so that no rotation and no rollback takes it, and no resumed run
goes on from it: a checkpoint as it was written, and what it is the best by. Its files are links to those of
the checkpoint where the file system has links: together they take the room of one.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, final

import attrs

from ebmkit.errors import CheckpointError
from ebmkit.storage.durable import read_regular, sync, write_synced
from ebmkit.storage.manifest import seal, unsealed
from ebmkit.storage.rotation import NEW, checkpoint_folder, clean, iteration_of, listed, publish

if TYPE_CHECKING:  # what a run is the best by can be asked without torch
    from ebmkit.storage.checkpoint import Checkpoint

__all__ = ["Best", "Which", "best_of", "keep_best", "open_checkpoint", "read_best"]

Which: TypeAlias = int | Literal["best", "newest"]
"""A checkpoint of a run: of an iteration, the best by a figure, or the newest."""

_FOLDER = "best"
_FIGURE = "figure.json"
_LARGEST = 1 << 20
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.EMLINK, errno.EXDEV, errno.ENOTSUP, errno.ENOSYS)


@final
@attrs.frozen
class Best:
    """What a checkpoint is the best by.

    Attributes:
        figure: its name, as in ``metrics.jsonl``.
        value: finite.
        iteration: of the checkpoint.
        better: which values are: the lower ones, or the higher ones.
    """

    figure: str
    value: float
    iteration: int
    better: Literal["lower", "higher"] = "lower"

    def beats(self, other: Best | None) -> bool:
        """Whether it takes the other's place; one by another figure does so in any case.

        Examples:
            >>> kept = Best("kid", 0.2, 10)
            >>> Best("kid", 0.1, 20).beats(kept), Best("kid", 0.2, 20).beats(kept)
            (True, False)
            >>> Best("kid", float("nan"), 20).beats(None)
            False
        """
        if not math.isfinite(self.value):
            return False
        if other is None or (other.figure, other.better) != (self.figure, self.better):
            return True
        return self.value < other.value if self.better == "lower" else self.value > other.value


def best_of(folder: Path) -> Best | None:
    """What the best checkpoint is the best by; None without one, or where what stands there is damaged.

    Args:
        folder: of all checkpoints of the run.
    """
    try:
        return _figure(_best(folder))
    except CheckpointError:
        return None


def keep_best(folder: Path, best: Best) -> bool:
    """Keep the checkpoint of ``best.iteration``, which must be written, if it is better than the one kept.

    Whoever looks, after a kill at any moment, finds the one before or this one, whole.

    Args:
        folder: of all checkpoints of the run.
        best: by what.

    Returns:
        whether it is kept.

    Raises:
        OSError: the disk is full or cannot be written; the one before is still kept.
    """
    clean(folder)
    if not best.beats(best_of(folder)):
        return False
    temporary = folder / f".tmp-{_FOLDER}-{os.getpid()}"
    try:
        _fill(temporary, checkpoint_folder(folder, best.iteration), best)
        publish(temporary, folder / _FOLDER)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return True


def read_best(folder: Path) -> tuple[Checkpoint, Best]:
    """The best checkpoint, verified, and what it is the best by.

    Raises:
        CheckpointError: none was kept, or it is damaged.
    """
    from ebmkit.storage.checkpoint import read_checkpoint

    while True:
        kept = _best(folder)
        try:
            best = _figure(kept)
            return read_checkpoint(checkpoint_folder(kept, best.iteration)), best
        except CheckpointError:
            if kept.exists():  # otherwise a better one took its place meanwhile
                raise


def open_checkpoint(folder: Path, which: Which) -> Checkpoint:
    """The checkpoint of a run that was asked for, verified.

    Args:
        folder: of all checkpoints of the run.
        which: an iteration, the best or the newest good one.

    Raises:
        CheckpointError: it is not there, or damaged, or nothing is called that; says which there are.
    """
    from ebmkit.storage.checkpoint import newest_checkpoint, read_checkpoint

    if which == "newest":
        return newest_checkpoint(folder)[0]
    if which == "best":
        return read_best(folder)[0]
    if not isinstance(which, int):
        raise CheckpointError(f"a checkpoint is named by its iteration, 'newest' or 'best', not {which!r}")
    best = best_of(folder)
    if checkpoint_folder(folder, which).exists():
        return read_checkpoint(checkpoint_folder(folder, which))
    if best is not None and best.iteration == which:
        return read_best(folder)[0]
    there = [str(iteration_of(path)) for path in listed(folder)]
    there += [f"{best.iteration} (best)"] if best is not None else []
    raise CheckpointError(
        f"no checkpoint of iteration {which} in {folder}; there are: {', '.join(there) or 'none'}"
    )


def _best(folder: Path) -> Path:
    """Where the best one is, also in the middle of its replacement."""
    for name in (_FOLDER + NEW, _FOLDER):
        if (folder / name / _FIGURE).exists():
            return folder / name
    raise CheckpointError(
        f"no best checkpoint in {folder}: a run keeps one once its evaluation has compared checkpoints"
    )


def _fill(folder: Path, checkpoint: Path, best: Best) -> None:
    inside = checkpoint_folder(folder, best.iteration)
    inside.mkdir(parents=True)
    for file in sorted(checkpoint.iterdir()):
        _link(file, inside / file.name)
    sync(inside)
    write_synced(folder / _FIGURE, seal(attrs.asdict(best)))
    sync(folder)


def _link(file: Path, to: Path) -> None:
    """One more name of a file, or a copy where the file system has one name for each."""
    try:
        to.hardlink_to(file)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        write_synced(to, file.read_bytes())


def _figure(folder: Path) -> Best:
    path = folder / _FIGURE
    try:
        entries: dict[str, Any] = unsealed(read_regular(path, at_most=_LARGEST))
        better: Any = entries["better"]
        best = Best(str(entries["figure"]), float(entries["value"]), int(entries["iteration"]), better)
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    if better not in ("lower", "higher") or best.iteration < 0:
        raise CheckpointError(f"{path}: not the figure of a checkpoint")
    return best
