from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ebmkit.errors import CheckpointError
from ebmkit.storage.checkpoint import newest_checkpoint, read_checkpoint, write_checkpoint
from ebmkit.storage.manifest import FORMAT, MANIFEST, read_manifest, seal, unsealed
from tests.storage.test_checkpoint import checkpoint, equal


def test_a_manifest_of_the_first_format_is_read(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, checkpoint(1), keep=1) / "manifest.json"
    manifest = json.loads(path.read_bytes())
    del manifest["sha256"]
    path.write_text(json.dumps({**manifest, "format": 1}))
    assert equal(newest_checkpoint(tmp_path)[0], checkpoint(1))
    path.write_text(json.dumps({**manifest, "format": 2}))  # without its seal it may say anything
    with pytest.raises(CheckpointError, match="format 2 or 1"):
        newest_checkpoint(tmp_path)


@pytest.mark.parametrize(("entry", "name"), [("iteration", "'iteration'"), ("files", "'files'")])
def test_a_manifest_without_what_a_reader_needs_names_it(tmp_path: Path, entry: str, name: str) -> None:
    path = write_checkpoint(tmp_path, checkpoint(1), keep=1)
    manifest = read_manifest(path)
    del manifest[entry]
    (path / "manifest.json").write_bytes(seal(manifest))
    with pytest.raises(CheckpointError, match=name):
        read_checkpoint(path)


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, checkpoint(1), keep=1)
    manifest = read_manifest(path)
    manifest["files"]["../../secret.safetensors"] = {"bytes": 0, "sha256": ""}
    (path / "manifest.json").write_bytes(seal(manifest))
    with pytest.raises(CheckpointError, match="outside"):
        read_checkpoint(path)


ENTRIES = {"iteration": 7, "files": {"energy.safetensors": {"bytes": 3, "sha256": "ab"}}, "note": "ü"}


def test_what_was_sealed_is_given_back() -> None:
    found = unsealed(seal(ENTRIES))
    assert {name: found[name] for name in ENTRIES} == ENTRIES
    assert found["format"] == FORMAT


def test_the_seal_is_the_checksum_of_all_bytes_with_itself_blank() -> None:
    data = seal(ENTRIES)
    written = json.loads(data)["sha256"]
    assert written == hashlib.sha256(data.replace(written.encode(), b"0" * 64)).hexdigest()


def test_every_changed_byte_breaks_the_seal() -> None:
    data = seal(ENTRIES)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(ValueError):  # noqa: PT011 - some are no JSON any more, some no manifest
            unsealed(bytes(changed))


def test_a_record_that_was_never_sealed_is_refused() -> None:
    for data in (b"[1]", b'{"iteration": 7}', json.dumps(ENTRIES).encode()):
        with pytest.raises(ValueError, match="not sealed"):
            unsealed(data)


@pytest.mark.parametrize(
    "name", ["a/b.safetensors", "/etc/x.safetensors", "..safetensors", "x.pt", "", "a.safetensors\n"]
)
def test_a_file_of_another_name_is_no_file_of_a_checkpoint(tmp_path: Path, name: str) -> None:
    (tmp_path / MANIFEST).write_bytes(seal({**ENTRIES, "files": {name: {"bytes": 0, "sha256": ""}}}))
    with pytest.raises(CheckpointError, match="names a file outside the checkpoint"):
        read_manifest(tmp_path)


def test_a_manifest_that_is_no_file_or_no_json_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"{")
    with pytest.raises(CheckpointError, match="no JSON"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"[" * 100_000)
    with pytest.raises(CheckpointError, match="no JSON"):
        read_manifest(tmp_path)
