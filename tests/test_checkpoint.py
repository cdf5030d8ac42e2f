from __future__ import annotations

import errno
import json
import os
import random
from pathlib import Path

import pytest
import torch

from ebmkit.checkpoint import Checkpoint, newest_checkpoint, read_checkpoint, write_checkpoint
from ebmkit.errors import CheckpointError


def checkpoint(iteration: int) -> Checkpoint:
    generator = torch.Generator().manual_seed(iteration)
    energy = {"weight": torch.randn(4, 3, generator=generator), "count": torch.tensor(iteration)}
    return Checkpoint(
        iteration,
        {"energy": energy, "schedule": {"samples": torch.ones(2, 2) * iteration}},
        {"data": {"examples": 7}},
    )


def equal(a: Checkpoint, b: Checkpoint) -> bool:
    return (a.iteration, a.facts, a.files.keys()) == (b.iteration, b.facts, b.files.keys()) and all(
        torch.equal(value, b.files[file][name])
        for file, tensors in a.files.items()
        for name, value in tensors.items()
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, checkpoint(60), keep=2)
    assert path.name == "iteration-0000060"
    assert equal(read_checkpoint(path), checkpoint(60))
    assert equal(newest_checkpoint(tmp_path)[0], checkpoint(60))


def test_the_newest_stay_and_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / ".tmp-left-by-a-crash").mkdir()
    for iteration in (1, 2, 10, 9):
        write_checkpoint(tmp_path, checkpoint(iteration), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["iteration-0000009", "iteration-0000010"]


def test_every_changed_bit_and_every_missing_file_is_noticed(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, checkpoint(1), keep=3)
    good = {path: path.read_bytes() for path in write_checkpoint(tmp_path, checkpoint(2), keep=3).iterdir()}
    rng = random.Random(0)
    for path, data in good.items():
        for _ in range(40):
            bit = rng.randrange(len(data) * 8)
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            found, refused = newest_checkpoint(tmp_path)
            # JSON blanks carry nothing: a manifest that still says the same is no damage.
            assert equal(found, checkpoint(1)) or equal(found, checkpoint(2))
            assert path.name == "manifest.json" or (found.iteration == 1 and str(path) in refused[0])
        path.unlink()
        assert newest_checkpoint(tmp_path)[0].iteration == 1
        path.write_bytes(data)
    assert newest_checkpoint(tmp_path)[1] == []


def test_with_nothing_good_every_reason_is_listed(tmp_path: Path) -> None:
    for iteration in (1, 2):
        (write_checkpoint(tmp_path, checkpoint(iteration), keep=3) / "energy.safetensors").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"(?s)iteration-0000002.*iteration-0000001") as caught:
        newest_checkpoint(tmp_path)
    assert caught.value.exit_code == 5


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, checkpoint(1), keep=1)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["../../secret.safetensors"] = {"sha256": ""}
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="outside"):
        read_checkpoint(path)


@pytest.mark.parametrize("call", ["fsync", "rename", "open"])
@pytest.mark.parametrize("which", range(8))
def test_a_full_disk_at_any_call_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, which: int
) -> None:
    write_checkpoint(tmp_path, checkpoint(1), keep=1)
    owner = Path if call == "rename" else os
    original = getattr(owner, call)
    calls = iter(range(1000))

    def failing(*arguments: object, **options: object) -> object:
        if next(calls) == which:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*arguments, **options)

    monkeypatch.setattr(owner, call, failing)
    try:
        write_checkpoint(tmp_path, checkpoint(2), keep=1)
        saved = True
    except OSError:
        saved = False
    monkeypatch.undo()
    found, refused = newest_checkpoint(tmp_path)
    assert refused == []
    assert found.iteration == 2 if saved else found.iteration in (1, 2)


def test_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write_checkpoint(tmp_path, checkpoint(1), keep=1)
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o640}


def test_the_same_iteration_again_keeps_the_good_one(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, checkpoint(1), keep=1)
    inode = path.stat().st_ino
    write_checkpoint(tmp_path, checkpoint(1), keep=1)
    assert path.stat().st_ino == inode
    (path / "energy.safetensors").write_bytes(b"damaged")
    write_checkpoint(tmp_path, checkpoint(1), keep=1)
    assert equal(read_checkpoint(path), checkpoint(1))
