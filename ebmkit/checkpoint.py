"""Checkpoints: safetensors files and a manifest, written so that a kill at any moment loses nothing.

A checkpoint is a folder. It is filled under a temporary name beside its place, every file and
the folder are synced, and one rename makes it exist; older ones go only after that. Readers verify
the SHA-256 of every file. There is no pickle anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import safetensors.torch
import torch
from torch import Tensor

from ebmkit.errors import CheckpointError
from ebmkit.training import Experiment, Learner

__all__ = [
    "FORMAT",
    "Checkpoint",
    "capture",
    "newest_checkpoint",
    "read_checkpoint",
    "restore",
    "write_checkpoint",
]

FORMAT = 1
_FOLDER = "iteration-{:07d}"
_PATTERN = re.compile(r"iteration-(\d{7,})")
_MANIFEST = "manifest.json"

Tensors = dict[str, Tensor]


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

    def model_state(self) -> Tensors:
        """The ``state_dict()`` of the schedule, put together from its files."""
        return {
            name if file == "schedule" else f"{file}.{name}": value
            for file, tensors in self.files.items()
            if file != "optimizer"
            for name, value in tensors.items()
        }


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


def write_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write a checkpoint into ``folder`` and rotate: the newest ``keep`` stay.

    Returns:
        the checkpoint's own folder, complete and synced.

    Raises:
        OSError: the disk is full or cannot be written; no older checkpoint was touched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / _FOLDER.format(checkpoint.iteration)
    if _is_good(target):  # written before a resume; the same iteration has the same bits
        return target
    temporary = folder / f".tmp-{target.name}-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        files = {name: _write_tensors(temporary, name, tensors) for name, tensors in checkpoint.files.items()}
        manifest = {
            "format": FORMAT,
            "iteration": checkpoint.iteration,
            "files": {f"{name}.safetensors": entry for name, entry in files.items()},
            **checkpoint.facts,
        }
        _write_synced(temporary / _MANIFEST, json.dumps(manifest, indent=1).encode())
        _sync_folder(temporary)
        if target.exists():  # damaged, or it would have been kept
            _discard(target)
        temporary.rename(target)
        _sync_folder(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _rotate(folder, keep)
    return target


def newest_checkpoint(folder: Path) -> tuple[Checkpoint, list[str]]:
    """The newest checkpoint that verifies, and one line for each newer one that does not.

    Raises:
        CheckpointError: none is good; lists each with its reason.
    """
    refused: list[str] = []
    for path in reversed(_listed(folder)):
        try:
            return read_checkpoint(path), refused
        except CheckpointError as error:
            refused.append(str(error))
    raise CheckpointError(
        "\n".join([f"no checkpoint in {folder}" + (" can be used:" if refused else ""), *refused])
    )


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify one checkpoint.

    Raises:
        CheckpointError: a file is missing, changed or unreadable, or the format is newer.
    """
    manifest = _read_manifest(path)
    files = {}
    for name, entry in manifest["files"].items():
        files[name.removesuffix(".safetensors")] = _read_tensors(path, name, entry)
    facts = {name: value for name, value in manifest.items() if name not in ("format", "iteration", "files")}
    return Checkpoint(manifest["iteration"], files, facts)


def _is_good(path: Path) -> bool:
    try:
        read_checkpoint(path)
    except CheckpointError:
        return False
    return True


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


def _write_tensors(folder: Path, name: str, tensors: Tensors) -> dict[str, Any]:
    """Write one safetensors file; its size and SHA-256 for the manifest."""
    data = safetensors.torch.save({key: value.contiguous() for key, value in tensors.items()})
    _write_synced(folder / f"{name}.safetensors", data)
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _listed(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    found = [path for path in folder.glob("iteration-*") if _PATTERN.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.name.partition("-")[2]))


def _rotate(folder: Path, keep: int) -> None:
    for path in _listed(folder)[:-keep]:
        _discard(path)
    for path in (*folder.glob(".trash-*"), *folder.glob(".tmp-*")):
        shutil.rmtree(path, ignore_errors=True)


def _discard(path: Path) -> None:
    """Delete a checkpoint so that a half-deleted one is never listed."""
    trash = path.with_name(f".trash-{path.name}-{os.getpid()}")
    path.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / _MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path / _MANIFEST}: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CheckpointError(f"{path / _MANIFEST}: not a checkpoint manifest of format {FORMAT}")
    files, iteration = manifest.get("files"), manifest.get("iteration")
    if not isinstance(files, dict) or type(iteration) is not int:
        raise CheckpointError(f"{path / _MANIFEST}: 'files' or 'iteration' is missing")
    if any("/" in name or not name.endswith(".safetensors") for name in files):
        raise CheckpointError(f"{path / _MANIFEST}: names a file outside the checkpoint")
    return manifest


def _read_tensors(path: Path, name: str, entry: Any) -> Tensors:
    file = path / name
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file}: {error.strerror}") from None
    if not isinstance(entry, dict) or hashlib.sha256(data).hexdigest() != entry.get("sha256"):
        raise CheckpointError(f"{file}: changed since it was written (SHA-256 differs)")
    try:
        return safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{file}: {error}") from None
