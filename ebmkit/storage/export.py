"""Exports: what a run trained as a folder to hand on, without the state of its training.

An export is a run file, one file of weights a part, and a manifest with the SHA-256 of every file; whatever
else lies in the folder is for people. It may come from a stranger: nothing in it is a pickle, its weights are
read into parts that are installed here, and no link in it is followed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import attrs

from ebmkit.errors import CheckpointError, ConfigError, RunDirectoryError
from ebmkit.storage.best import Which, open_checkpoint
from ebmkit.storage.checkpoint import Checkpoint, entry_of, read_tensors, serialised
from ebmkit.storage.durable import make_folder, sync, write_synced
from ebmkit.storage.facts import Facts
from ebmkit.storage.folder import RunFolder
from ebmkit.storage.manifest import MANIFEST, read_manifest, seal

__all__ = ["Export", "find_export", "open_saved", "refuse_export", "write_export"]

_MARK = "export"
_LAYOUT = 1


@final
@attrs.frozen
class Export:
    """An export whose manifest is verified.

    Attributes:
        path: its folder.
        entries: of the manifest.
    """

    path: Path
    entries: Mapping[str, Any] = attrs.field(repr=False)

    def open(self, which: Which = "newest") -> Checkpoint:
        """Its weights, verified. They are those of one iteration, the newest and the best there is.

        Raises:
            CheckpointError: of another iteration than asked for; a file missing, changed or unreadable.
        """
        iteration = self.entries["iteration"]
        if which not in ("newest", "best", iteration):
            raise CheckpointError(f"{self.path} is an export of iteration {iteration} alone")
        try:
            facts = Facts.from_json(self.entries)
        except ValueError as error:
            raise CheckpointError(f"{self.path / MANIFEST}: {error}") from None
        files = self.entries["files"]
        tensors = {Path(name).stem: read_tensors(self.path / name, entry) for name, entry in files.items()}
        return Checkpoint(iteration, tensors, facts)


def write_export(path: Path, checkpoint: Checkpoint, beside: Mapping[str, bytes]) -> None:
    """Write an export: whole, or not at all.

    Args:
        path: of the folder, which must not be there yet, or be empty.
        checkpoint: without the state of optimizers.
        beside: the other files, by name.

    Raises:
        RunDirectoryError: the folder is not empty, or cannot be written.
    """
    if os.path.lexists(path) and (path.is_symlink() or not path.is_dir() or any(path.iterdir())):
        raise RunDirectoryError(f"{path} exists already; an export needs a folder of its own")
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    try:
        make_folder(path.absolute().parent)
        _fill(temporary, checkpoint, beside)
        temporary.rename(path)
        sync(path.absolute().parent)
    except OSError as error:
        raise RunDirectoryError(f"cannot write {path}: {error.strerror}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def find_export(path: Path) -> Export | None:
    """The export in a folder, its manifest verified; None where the folder is none.

    Raises:
        CheckpointError: the manifest is damaged, of a later layout, or there is a link in the folder.
    """
    if not os.path.lexists(path / MANIFEST):
        return None
    _refuse_links(path)
    entries = read_manifest(path)
    if entries.get(_MARK) != _LAYOUT:
        raise CheckpointError(f"{path / MANIFEST}: not of an export that this ebmkit can read")
    return Export(path, entries)


def open_saved(folder: RunFolder, which: Which = "newest") -> Checkpoint:
    """The checkpoint of a run that was asked for, or the weights of an export, verified.

    Raises:
        CheckpointError: it is not there, or damaged.
    """
    export = find_export(folder.path)
    return open_checkpoint(folder.checkpoints, which) if export is None else export.open(which)


def refuse_export(folder: RunFolder) -> None:
    """For what needs the whole state of a training.

    Raises:
        ConfigError: the folder is an export.
    """
    if find_export(folder.path) is not None:
        raise ConfigError(
            f"{folder.path} is an export: weights, without the state of a training to resume; "
            f"ebmkit run FILE --init-from {folder.name} starts another run from them"
        )


def _fill(folder: Path, checkpoint: Checkpoint, beside: Mapping[str, bytes]) -> None:
    """Write every file and the manifest, synced, into a new folder."""
    folder.mkdir()
    entries: dict[str, dict[str, Any]] = {"files": {}, "beside": {}}
    for name, data in serialised(checkpoint):
        write_synced(folder / name, data)
        entries["files"][name] = entry_of(data)
    for name, data in beside.items():
        write_synced(folder / name, data)
        entries["beside"][name] = entry_of(data)
    about = {_MARK: _LAYOUT, "iteration": checkpoint.iteration, **checkpoint.facts.to_json()}
    write_synced(folder / MANIFEST, seal({**about, **entries}))
    sync(folder)


def _refuse_links(folder: Path) -> None:
    """A link may lead anywhere, also what a command writes; hidden folders are nobody's business here.

    Raises:
        CheckpointError: there is one.
    """
    for around, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if (path := Path(around, name)).is_symlink():
                raise CheckpointError(
                    f"{path} is a link, and an export holds its files itself; cp -rL copies what it leads to"
                )
        folders[:] = [name for name in folders if not name.startswith(".")]
