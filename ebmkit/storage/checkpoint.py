"""Checkpoints: safetensors files and a manifest, written so that a kill at any moment loses nothing.

A checkpoint is a folder. It is filled under a temporary name beside its place, every file and
the folder are synced, and one rename makes it exist; older ones go only after that. Readers verify
the SHA-256 of every file and of the manifest itself. There is no pickle anywhere.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import safetensors.torch
import torch
from torch import Tensor

from ebmkit.errors import CheckpointError
from ebmkit.messages.brief import brief
from ebmkit.storage.durable import is_alive, make_folder, read_regular, sync, write_synced
from ebmkit.storage.manifest import MANIFEST, read_manifest, seal
from ebmkit.training.loop import Experiment, Learner

__all__ = [
    "Checkpoint",
    "capture",
    "checkpoint_folder",
    "expected_bytes",
    "initialise",
    "newest_checkpoint",
    "read_checkpoint",
    "restore",
    "withdraw_after",
    "write_checkpoint",
]

_FOLDER = "iteration-{:07d}"
_NEW = ".new"
_PATTERN = re.compile(r"iteration-(\d{7,})(\.new)?")
_SUFFIX = ".safetensors"
_OWN_ENTRIES = ("sha256", "format", "iteration", "files")

Tensors = dict[str, Tensor]


class TrainedOn(NamedTuple):
    """The data of a training: the shape of an example and how many there were."""

    shape: tuple[int, ...]
    examples: int


@attrs.frozen
class Checkpoint:
    """The whole state of a training after some iteration.

    Attributes:
        iteration: how many iterations are done.
        files: tensors by file name without suffix: one for each child of the schedule
            (``energy``, ``generator``), ``schedule`` for its own buffers (persistent chains,
            latents) and ``optimizer``.
        facts: what else belongs to it, as JSON: shape and number of the data and their
            fingerprint, versions.
    """

    iteration: int
    files: Mapping[str, Tensors]
    facts: Mapping[str, Any] = attrs.field(factory=dict)

    def __repr__(self) -> str:
        return brief(self)

    def model_state(self) -> Tensors:
        """The ``state_dict()`` of the schedule, put together from its files."""
        return {
            name if file == "schedule" else f"{file}.{name}": value
            for file, tensors in self.files.items()
            if file != "optimizer"
            for name, value in tensors.items()
        }

    @property
    def trained_on(self) -> TrainedOn:
        """What its facts say about the data.

        Raises:
            CheckpointError: they do not say it.
        """
        try:
            data = self.facts["data"]
            return TrainedOn(tuple(int(side) for side in data["shape"]), int(data["examples"]))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the checkpoint's 'data' cannot be read: {error!r}") from None


def capture(experiment: Experiment, *, iteration: int, facts: Mapping[str, Any]) -> Checkpoint:
    """The state of an experiment, copied to the CPU: training may go on while it is written."""
    files: dict[str, Tensors] = {}
    children = {name for name, _ in experiment.schedule.named_children()}
    for key, value in experiment.schedule.state_dict().items():
        child, _, rest = key.partition(".")
        file, name = (child, rest) if child in children else ("schedule", key)
        files.setdefault(file, {})[name] = value.detach().cpu().clone()
    optimizer: Tensors = {}
    for part, learner in experiment.learners.items():
        optimizer |= _optimizer_tensors(part, learner)
    if optimizer:
        files["optimizer"] = optimizer
    return Checkpoint(iteration, files, facts)


def restore(checkpoint: Checkpoint, experiment: Experiment) -> None:
    """Put a checkpoint's state into an experiment of the same plan.

    Raises:
        CheckpointError: it holds other tensors than the experiment, or other shapes.
    """
    try:
        experiment.schedule.load_state_dict(checkpoint.model_state())
        for part, learner in experiment.learners.items():
            _load_optimizer(part, learner, checkpoint.files.get("optimizer", {}))
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"the checkpoint does not fit this run file: {error}") from None


def checkpoint_folder(folder: Path, iteration: int) -> Path:
    """Where the checkpoint of an iteration is, if there is one."""
    return folder / _FOLDER.format(iteration)


def withdraw_after(folder: Path, iteration: int) -> None:
    """Delete the checkpoints of later iterations: training goes on from here another way."""
    for path in _listed(folder):
        if _iteration_of(path) > iteration:
            _discard(path)


def expected_bytes(experiment: Experiment) -> int:
    """About how large a checkpoint of this experiment is, once its optimizers have a state (two moments)."""
    state: int = sum(value.nbytes for value in experiment.schedule.state_dict().values())
    learned = [each for learner in experiment.learners.values() for each in learner.module.parameters()]
    moments: int = 2 * sum(each.nbytes for each in learned)
    return state + moments


def initialise(experiment: Experiment, checkpoint: Checkpoint) -> list[str]:
    """Start the parts that a checkpoint of any other run holds from its weights; optimizers start anew.

    Returns:
        a line for each part: what was loaded, what was not, and what of the checkpoint was left.

    Raises:
        CheckpointError: they share no part, or a part has other tensors or shapes there.
    """
    shared = [part for part in experiment.learners if part in checkpoint.files]
    if not shared:
        held, wanted = ", ".join(checkpoint.files), ", ".join(experiment.learners)
        raise CheckpointError(f"nothing to start from: it holds {held}; this run has {wanted}")
    for part in shared:
        try:
            experiment.learners[part].module.load_state_dict(checkpoint.files[part])
        except RuntimeError as error:
            raise CheckpointError(f"its {part} is not the one of this run file: {error}") from None
    fresh = [f"{part}: not in it, starts from the seed" for part in experiment.learners if part not in shared]
    left = [f"{file}: left" for file in checkpoint.files if file not in shared]
    return [*(f"{part}: loaded" for part in shared), *fresh, *left]


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
    _clean(folder)
    target = checkpoint_folder(folder, checkpoint.iteration)
    if not _is_saved(target, checkpoint):
        temporary = folder / f".tmp-{target.name}-{os.getpid()}"
        try:
            _fill(temporary, checkpoint)
            _publish(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    with suppress(OSError):  # this one is safe; what could not be deleted is tried again at the next save
        _rotate(folder, target, keep, protected)
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
        for path in reversed(_listed(folder)):
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
    if (name := _PATTERN.fullmatch(path.name)) and int(name[1]) != iteration:
        raise CheckpointError(f"{path}: holds iteration {iteration}, not what its name says")
    for stranger in _visible(path) - names.keys() - {MANIFEST}:
        raise CheckpointError(f"{path / stranger}: not part of the checkpoint")
    files = {name.removesuffix(_SUFFIX): _read_tensors(path / name, entry) for name, entry in names.items()}
    facts = {name: value for name, value in manifest.items() if name not in _OWN_ENTRIES}
    return Checkpoint(iteration, files, facts)


def _optimizer_tensors(part: str, learner: Learner) -> Tensors:
    """The optimizer's state flattened: ``energy/3/exp_avg``."""
    state = learner.optimizer.state_dict()["state"]
    return {
        f"{part}/{index}/{name}": torch.as_tensor(value).detach().cpu().clone()
        for index, slots in state.items()
        for name, value in slots.items()
        if value is not None
    }


def _load_optimizer(part: str, learner: Learner, tensors: Tensors) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        owner, index, name = key.split("/")
        if owner == part:
            state.setdefault(int(index), {})[name] = value
    groups = learner.optimizer.state_dict()["param_groups"]
    learner.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _fill(folder: Path, checkpoint: Checkpoint) -> None:
    """Write every file of a checkpoint and the manifest, synced, into a new folder."""
    folder.mkdir()
    entries = {}
    for name, data in _serialised(checkpoint):
        write_synced(folder / name, data)
        entries[name] = _entry(data)
    write_synced(folder / MANIFEST, _manifest(checkpoint, entries))
    sync(folder)


def _publish(temporary: Path, target: Path) -> None:
    """Give a filled folder its name; what bears the name already goes only when this one is listed."""
    if target.exists():
        new = target.with_name(target.name + _NEW)
        temporary.rename(new)
        _settle(new)
    else:
        temporary.rename(target)
        sync(target.parent)


def _settle(new: Path) -> None:
    """Finish a replacement: from here on the new checkpoint is found, under either name."""
    sync(new.parent)
    target = new.with_name(new.name.removesuffix(_NEW))
    if target.exists():
        _discard(target)
    new.rename(target)
    sync(target.parent)


def _is_saved(target: Path, checkpoint: Checkpoint) -> bool:
    """Whether this very checkpoint, bit for bit, stands there already."""
    try:
        read_checkpoint(target)
    except CheckpointError:
        return False
    entries = {name: _entry(data) for name, data in _serialised(checkpoint)}
    return (target / MANIFEST).read_bytes() == _manifest(checkpoint, entries)


def _serialised(checkpoint: Checkpoint) -> Iterator[tuple[str, bytes]]:
    """Name and contents of each file, one at a time."""
    for name, tensors in checkpoint.files.items():
        contiguous = {key: value.contiguous() for key, value in tensors.items()}
        yield name + _SUFFIX, safetensors.torch.save(contiguous)


def _entry(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _manifest(checkpoint: Checkpoint, entries: Mapping[str, Any]) -> bytes:
    return seal({"iteration": checkpoint.iteration, "files": entries, **checkpoint.facts})


def _listed(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    found = [(match, path) for path in folder.glob("*") if (match := _PATTERN.fullmatch(path.name))]
    return [path for match, path in sorted(found, key=lambda each: (int(each[0][1]), each[1].name))]


def _visible(path: Path) -> set[str]:
    """What lies in a folder, apart from hidden files, which file systems and desktops leave everywhere."""
    try:
        return {each.name for each in path.iterdir() if not each.name.startswith(".")}
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None


def _iteration_of(path: Path) -> int:
    found = _PATTERN.fullmatch(path.name)
    return int(found[1]) if found else -1


def _rotate(folder: Path, newest: Path, keep: int, protected: Collection[int]) -> None:
    listed = _listed(folder)
    position = listed.index(newest)
    older = [path for path in listed[: max(position + 1 - keep, 0)] if _iteration_of(path) not in protected]
    for path in (*older, *listed[position + 1 :]):
        _discard(path)


def _discard(path: Path) -> None:
    """Delete a checkpoint so that a half-deleted one is never listed."""
    trash = path.with_name(f".trash-{path.name}-{time.monotonic_ns()}-{os.getpid()}")
    path.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _clean(folder: Path) -> None:
    """Finish or remove what a killed process left, before anything is written: a disk may be full of it."""
    for path in folder.glob(f"iteration-*{_NEW}"):
        _settle(path)
    for path in (*folder.glob(".trash-*"), *folder.glob(".tmp-*")):
        if not is_alive(path.name.rpartition("-")[2]):
            shutil.rmtree(path, ignore_errors=True)


def _read_tensors(file: Path, entry: Mapping[str, Any]) -> Tensors:
    """The tensors of one file, if it is what was written."""
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
