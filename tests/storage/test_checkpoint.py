from __future__ import annotations

import errno
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ebmkit.errors import CheckpointError
from ebmkit.storage.checkpoint import Checkpoint, newest_checkpoint, read_checkpoint, write_checkpoint
from ebmkit.storage.facts import DataFacts, Facts
from tests.conftest import Ebmkit


def checkpoint(iteration: int) -> Checkpoint:
    generator = torch.Generator().manual_seed(iteration)
    energy = {"weight": torch.randn(4, 3, generator=generator), "count": torch.tensor(iteration)}
    return Checkpoint(
        iteration,
        {"energy": energy, "schedule": {"samples": torch.ones(2, 2) * iteration}},
        Facts(data=DataFacts((2, 2), 7)),
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


def test_every_one_of_500_changed_bits_is_noticed_and_its_file_named(
    run_file: Callable[[str], Path], ebmkit: Ebmkit
) -> None:
    """100 in each file of a real run's newest checkpoint, one at a time; the one before is used."""
    assert ebmkit("run", run_file("coopnets")).code == 0
    *_, before, last = sorted(Path("runs/coopnets/checkpoints").iterdir())
    previous = read_checkpoint(before)
    good = {path: path.read_bytes() for path in sorted(last.iterdir())}
    assert len(good) == 5
    rng = random.Random(0)
    for path, data in good.items():
        for bit in rng.sample(range(len(data) * 8), 100):
            path.write_bytes(flipped(data, bit))
            found, refused = newest_checkpoint(last.parent)
            assert equal(found, previous), bit
            assert str(path) in refused[0]
        path.write_bytes(data)
    assert newest_checkpoint(last.parent)[1] == []


def flipped(data: bytes, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def damages(path: Path, before: Path) -> Iterator[tuple[str, Path]]:
    """Do one thing after another to a checkpoint: what was done, and the file or folder it was done to."""
    for file in sorted(path.iterdir()):
        data = file.read_bytes()
        for size in sorted({0, 1, 7, 8, len(data) // 2, len(data) - 1}):
            file.write_bytes(data[:size])
            yield f"cut to {size} bytes", file
        file.write_bytes(data + b"\0")
        yield "a byte more", file
        file.unlink()
        yield "deleted", file
        file.symlink_to("/dev/zero")
        yield "a device instead", file
        file.unlink()
        file.write_bytes((before / file.name).read_bytes())
        yield "swapped with the checkpoint before", path if file.name == "manifest.json" else file
        file.write_bytes(data)
    for name in ("stray.safetensors", "notes.txt"):
        (path / name).write_bytes(b"")
        yield "added", path / name
        (path / name).unlink()


def test_every_cut_missing_added_and_swapped_file_is_named(tmp_path: Path) -> None:
    before = write_checkpoint(tmp_path, checkpoint(1), keep=3)
    path = write_checkpoint(tmp_path, checkpoint(2), keep=3)
    count = 0
    for done, file in damages(path, before):
        found, refused = newest_checkpoint(tmp_path)
        assert equal(found, checkpoint(1)), (done, file)
        assert len(refused) == 1
        # A manifest of another iteration names the wrong folder, or the first file it does not fit.
        assert str(file) in refused[0], (done, file)
        count += 1
    assert count == 3 * 10 + 2
    assert newest_checkpoint(tmp_path)[1] == []


def test_a_checkpoint_under_the_name_of_another_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, checkpoint(1), keep=3)
    write_checkpoint(tmp_path, checkpoint(2), keep=3).rename(tmp_path / "iteration-0000003")
    found, refused = newest_checkpoint(tmp_path)
    assert found.iteration == 1
    assert "iteration-0000003: holds iteration 2" in refused[0]


def test_what_a_desktop_leaves_in_a_folder_is_no_damage(tmp_path: Path) -> None:
    (write_checkpoint(tmp_path, checkpoint(1), keep=3) / ".DS_Store").touch()
    assert newest_checkpoint(tmp_path)[1] == []


def test_with_nothing_good_every_reason_is_listed(tmp_path: Path) -> None:
    for iteration in (1, 2):
        (write_checkpoint(tmp_path, checkpoint(iteration), keep=3) / "energy.safetensors").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"(?s)iteration-0000002.*iteration-0000001") as caught:
        newest_checkpoint(tmp_path)
    assert caught.value.exit_code == 5


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


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o027, 0o077])
def test_files_follow_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        path = write_checkpoint(tmp_path, checkpoint(1), keep=1)
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o666 & ~mask}
    assert path.stat().st_mode & 0o777 == 0o777 & ~mask


def test_the_same_iteration_again_keeps_the_good_one(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, checkpoint(1), keep=1)
    inode = path.stat().st_ino
    write_checkpoint(tmp_path, checkpoint(1), keep=1)
    assert path.stat().st_ino == inode
    (path / "energy.safetensors").write_bytes(b"damaged")
    write_checkpoint(tmp_path, checkpoint(1), keep=1)
    assert equal(read_checkpoint(path), checkpoint(1))


def test_another_state_of_the_same_iteration_replaces_the_one_before(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, checkpoint(1), keep=1)
    other = Checkpoint(1, checkpoint(2).files, Facts(threads=2))
    path = write_checkpoint(tmp_path, other, keep=1)
    assert equal(newest_checkpoint(tmp_path)[0], other)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_reader_is_never_harmed_by_rotation(tmp_path: Path) -> None:
    """One to keep and a writer that never rests: what a reader holds goes away under its hands."""
    write_checkpoint(tmp_path, checkpoint(1), keep=1)
    code = (
        "import sys; from pathlib import Path; from tests.storage.test_checkpoint import *\n"
        "for k in range(2, 10_000): write_checkpoint(Path(sys.argv[1]), checkpoint(k), keep=1)"
    )
    seen = []
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as writer:
        try:
            deadline = time.monotonic() + 60
            while len(set(seen)) < 20 and time.monotonic() < deadline:
                found, refused = newest_checkpoint(tmp_path)
                assert refused == []
                assert equal(found, checkpoint(found.iteration))
                seen.append(found.iteration)
        finally:
            writer.kill()
    assert len(set(seen)) == 20
    assert seen == sorted(seen)


def test_a_file_that_cannot_grow_is_an_error_and_costs_nothing(tmp_path: Path) -> None:
    """The kernel writes a part and refuses the rest, as a full disk and a quota do."""
    write_checkpoint(tmp_path, checkpoint(1), keep=1)
    large = Checkpoint(2, {"energy": {"weight": torch.zeros(100_000)}})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="large"):
            write_checkpoint(tmp_path, large, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["iteration-0000001"]
    assert equal(newest_checkpoint(tmp_path)[0], checkpoint(1))
