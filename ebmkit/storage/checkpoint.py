"""Checkpoints: safetensors files and a manifest, written so that a kill at any moment loses nothing.

A checkpoint is a folder. It is filled under a temporary name beside its place, every file and
the folder are synced, and one rename makes it exist; older ones go only after that. Readers verify
the SHA-256 of every file and of the manifest itself. There is no pickle anywhere.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import safetensors.torch
from torch import Tensor

from ebmkit.errors import CheckpointError
from ebmkit.messages.brief import brief
from ebmkit.storage.durable import make_folder, read_regular, sync, write_synced
from ebmkit.storage.facts import DataFacts, Facts
from ebmkit.storage.manifest import MANIFEST, read_manifest, seal
from ebmkit.storage.rotation import checkpoint_folder, clean, iteration_of, listed, publish, rotate

__all__ = [
    "BESIDE",
    "Checkpoint",
    "Tensors",
    "entry_of",
    "newest_checkpoint",
    "read_checkpoint",
    "read_tensors",
    "serialised",
    "write_checkpoint",
]

BESIDE = ("optimizer", "averaged")
"""Files that are no part of the schedule's state."""

_SUFFIX = ".safetensors"

Tensors = dict[str, Tensor]


@attrs.frozen
class Checkpoint:
    """The whole state of a training after some iteration.

    Attributes:
        iteration: how many iterations are done.
        files: tensors by file name without suffix: one for each child of the schedule
            (``energy``, ``generator``), ``schedule`` for its own buffers (persistent chains,
            latents), ``optimizer``, and ``averaged`` where weights are averaged.
        facts: what else belongs to it.
    """

    iteration: int
    files: Mapping[str, Tensors]
    facts: Facts = attrs.field(factory=Facts)

    def __repr__(self) -> str:
        return brief(self)

    def model_state(self) -> Tensors:
        """The ``state_dict()`` of the schedule, put together from its files."""
        return {
            name if file == "schedule" else f"{file}.{name}": value
            for file, tensors in self.files.items()
            if file not in BESIDE
            for name, value in tensors.items()
        }

    def averages(self) -> dict[str, Tensors]:
        """Averaged weights by part, of those whose average had begun."""
        found: dict[str, Tensors] = {}
        tensors = self.files.get("averaged", {})
        for key, value in sorted(tensors.items()):
            part, of, name = key.partition("/of.")
            if of and int(tensors[f"{part}/updates"]):
                found.setdefault(part, {})[name] = value
        return found

    @property
    def trained_on(self) -> DataFacts:
        """What its facts say about the data.

        Raises:
            CheckpointError: they do not say it.
        """
        if self.facts.data is None:
            raise CheckpointError("the checkpoint does not say what data it was trained on")
        return self.facts.data


def write_checkpoint(
    folder: Path, checkpoint: Checkpoint, *, keep: int, protected: Collection[int] = ()
) -> Path:
    """Write a checkpoint into ``folder`` and rotate: it stays, with the ``keep`` - 1 before it.

    Checkpoints of later iterations go too: they are damaged, or of a course the run went back from.

    Args:
        folder: of all checkpoints of the run.
        checkpoint: what to write.
        keep: how many of the newest stay.
        protected: iterations whose checkpoints stay beside those.

    Returns:
        the checkpoint's own folder, complete and synced.

    Raises:
        OSError: the disk is full or cannot be written; no older checkpoint was touched.
    """
    make_folder(folder)
    clean(folder)
    target = checkpoint_folder(folder, checkpoint.iteration)
    if not _is_saved(target, checkpoint):
        temporary = folder / f".tmp-{target.name}-{os.getpid()}"
        try:
            _fill(temporary, checkpoint)
            publish(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    with suppress(OSError):  # this one is safe; what could not be deleted is tried again at the next save
        rotate(folder, target, keep, protected)
    return target


def newest_checkpoint(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest checkpoint that verifies, and one line for each newer one that does not.

    A training may write and rotate at the same time: what goes away while it is read is
    replaced by something newer, and the search begins again.

    Raises:
        CheckpointError: none is good; lists each with its reason.
    """
    while True:
        refused: list[str] = []
        for path in reversed(listed(folder)):
            try:
                return read_checkpoint(path), refused
            except CheckpointError as error:
                if not path.exists():
                    break
                refused.append(str(error))
        else:
            reasons = [f"no checkpoint in {folder}" + (" can be used:" if refused else ""), *refused]
            raise CheckpointError("\n".join(reasons))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify one checkpoint.

    Raises:
        CheckpointError: a file is missing, added, changed or unreadable, the folder bears the name of another
            iteration, or the format is newer.
    """
    manifest = read_manifest(path)
    iteration, names = manifest["iteration"], manifest["files"]
    if iteration_of(path) not in (None, iteration):
        raise CheckpointError(f"{path}: holds iteration {iteration}, not what its name says")
    for stranger in _visible(path) - names.keys() - {MANIFEST}:
        raise CheckpointError(f"{path / stranger}: not part of the checkpoint")
    files = {name.removesuffix(_SUFFIX): read_tensors(path / name, entry) for name, entry in names.items()}
    try:
        facts = Facts.from_json(manifest)
    except ValueError as error:
        raise CheckpointError(f"{path / MANIFEST}: {error}") from None
    return Checkpoint(iteration, files, facts)


def _fill(folder: Path, checkpoint: Checkpoint) -> None:
    """Write every file of a checkpoint and the manifest, synced, into a new folder."""
    folder.mkdir()
    entries = {}
    for name, data in serialised(checkpoint):
        write_synced(folder / name, data)
        entries[name] = entry_of(data)
    write_synced(folder / MANIFEST, _manifest(checkpoint, entries))
    sync(folder)


def _is_saved(target: Path, checkpoint: Checkpoint) -> bool:
    """Whether this very checkpoint, bit for bit, stands there already."""
    try:
        read_checkpoint(target)
    except CheckpointError:
        return False
    entries = {name: entry_of(data) for name, data in serialised(checkpoint)}
    return (target / MANIFEST).read_bytes() == _manifest(checkpoint, entries)


def serialised(checkpoint: Checkpoint) -> Iterator[tuple[str, bytes]]:
    """Name and contents of each file, one at a time."""
    for name, tensors in checkpoint.files.items():
        contiguous = {key: value.contiguous() for key, value in tensors.items()}
        yield name + _SUFFIX, safetensors.torch.save(contiguous)


def entry_of(data: bytes) -> dict[str, Any]:
    """What a manifest says of a file: its size and SHA-256."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _manifest(checkpoint: Checkpoint, entries: Mapping[str, Any]) -> bytes:
    return seal({"iteration": checkpoint.iteration, "files": entries, **checkpoint.facts.to_json()})


def _visible(path: Path) -> set[str]:
    """What lies in a folder, apart from hidden files, which file systems and desktops leave everywhere."""
    try:
        return {each.name for each in path.iterdir() if not each.name.startswith(".")}
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None


def read_tensors(file: Path, entry: Mapping[str, Any]) -> Tensors:
    """The tensors of one file, if it is what was written.

    Args:
        file: of safetensors.
        entry: what the manifest says of it.

    Raises:
        CheckpointError: it is missing, changed or unreadable.
    """
    try:
        data = read_regular(file, at_most=entry["bytes"])
    except OSError as error:
        raise CheckpointError(f"{file}: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise CheckpointError(f"{file}: changed since it was written (SHA-256 differs)")
    try:
        return safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{file}: {error}") from None
