from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ebmkit.errors import CheckpointError, RunDirectoryError
from ebmkit.storage.checkpoint import Checkpoint
from ebmkit.storage.export import find_export, open_saved, write_export
from ebmkit.storage.facts import DataFacts, Facts
from ebmkit.storage.folder import RunFolder
from ebmkit.storage.manifest import MANIFEST, read_manifest, seal

WEIGHTS = {"energy": {"w": torch.arange(6.0).view(2, 3)}, "schedule": {"n": torch.tensor(3)}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    facts = Facts(config={"run": {"seed": 1}}, data=DataFacts((2,), 5, "ab"))
    write_export(tmp_path / "out", Checkpoint(7, WEIGHTS, facts), {"README.md": b"# x\n", "config.toml": b""})
    return tmp_path / "out"


def reseal(folder: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    """Change a manifest as a stranger would, who can seal as well as we can."""
    entries = {k: v for k, v in read_manifest(folder).items() if k not in ("sha256", "format")}
    change(entries)
    (folder / MANIFEST).write_bytes(seal(entries))


def entry(data: bytes) -> dict[str, object]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_weights_and_facts_come_back_and_every_file_has_its_digest(folder: Path) -> None:
    checkpoint = open_saved(RunFolder(folder))
    assert checkpoint.iteration == 7
    assert checkpoint.facts.data == DataFacts((2,), 5, "ab")
    assert {name: {k: v.tolist() for k, v in each.items()} for name, each in checkpoint.files.items()} == {
        name: {k: v.tolist() for k, v in each.items()} for name, each in WEIGHTS.items()
    }
    entries = read_manifest(folder)
    digests = entries["files"] | entries["beside"]
    there = {path.name: entry(path.read_bytes()) for path in folder.iterdir() if path.name != MANIFEST}
    assert digests == there


def test_there_is_one_iteration_in_it(folder: Path) -> None:
    for which in ("newest", "best", 7):
        assert open_saved(RunFolder(folder), which).iteration == 7  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="is an export of iteration 7 alone"):
        open_saved(RunFolder(folder), 6)


def test_it_takes_no_folder_that_holds_something_and_leaves_nothing_half_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RunDirectoryError, match="exists already"):
        write_export(folder, Checkpoint(8, WEIGHTS), {})
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(RunDirectoryError, match="cannot write"):
        write_export(tmp_path / "other", Checkpoint(8, WEIGHTS), {"no/such/folder": b""})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    (tmp_path / "empty").mkdir()
    write_export(tmp_path / "empty", Checkpoint(8, WEIGHTS), {})
    assert open_saved(RunFolder(tmp_path / "empty")).iteration == 8


@pytest.mark.parametrize("place", ["energy.safetensors", "README.md", "generated", ".hidden", "a/b"])
def test_a_link_in_it_is_refused_wherever_it_leads(folder: Path, tmp_path: Path, place: str) -> None:
    path = folder / place
    path.parent.mkdir(exist_ok=True)
    if path.exists():
        path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(CheckpointError, match=f"{place} is a link"):
        find_export(folder)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../secret.safetensors",
        "/x.safetensors",
        "a\0.safetensors",
        "\ud800.safetensors",
        "",
    ],
)
def test_a_manifest_that_names_files_elsewhere_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "secret.safetensors").write_bytes((folder / "energy.safetensors").read_bytes())
    reseal(folder, lambda entries: entries["files"].update({name: entry(b"")}))
    with pytest.raises(CheckpointError, match="names a file outside"):
        find_export(folder)


def test_other_bytes_than_the_manifest_says_are_refused(folder: Path) -> None:
    path = folder / "energy.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"energy.safetensors: changed since it was written"):
        open_saved(RunFolder(folder))


def test_a_manifest_that_was_edited_is_refused(folder: Path) -> None:
    path = folder / MANIFEST
    path.write_text(path.read_text().replace('"iteration": 7', '"iteration": 8'))
    with pytest.raises(CheckpointError, match="changed since it was written"):
        find_export(folder)


@pytest.mark.parametrize("length", [1 << 20, 1 << 40, 2**64 - 1])
def test_a_huge_header_reserves_nothing(folder: Path, length: int) -> None:
    data = struct.pack("<Q", length) + b'{"w":{"dtype":"F32"'
    (folder / "energy.safetensors").write_bytes(data)
    reseal(folder, lambda entries: entries["files"].update({"energy.safetensors": entry(data)}))
    with pytest.raises(CheckpointError, match=r"energy\.safetensors"):
        open_saved(RunFolder(folder))


def test_tensors_that_claim_more_than_there_is_are_refused(folder: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    data = struct.pack("<Q", len(header)) + header
    (folder / "energy.safetensors").write_bytes(data)
    reseal(folder, lambda entries: entries["files"].update({"energy.safetensors": entry(data)}))
    with pytest.raises(CheckpointError, match=r"energy\.safetensors"):
        open_saved(RunFolder(folder))


@pytest.mark.parametrize("mark", [None, 2, "1"])
def test_another_layout_is_refused(folder: Path, mark: object) -> None:
    reseal(folder, lambda entries: entries.update({"export": mark}))
    with pytest.raises(CheckpointError, match="not of an export that this ebmkit can read"):
        find_export(folder)
