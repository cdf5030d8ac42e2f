from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_arrays.cifar import Cifar
from ebmkit_arrays.samples import write_cifar
from tests.plugins.arrays.reading import everything, put


def test_cifar_is_read_from_its_folder_and_from_its_archive(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    write_cifar(folder)
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    source, packed = Cifar(path=str(folder)), Cifar(path=str(tmp_path / "cifar.tar.gz"))
    assert (len(source), source.shape) == (40, (3, 32, 32))
    record = np.frombuffer((folder / "data_batch_1.bin").read_bytes()[:3073], np.uint8)
    green = record[1 + 1024 : 1 + 2048].reshape(32, 32)
    assert np.allclose(source[torch.tensor([0])][0, 1].numpy(), green / 127.5 - 1, atol=1e-6)
    assert torch.equal(everything(source), everything(packed))
    assert source.fingerprint() == packed.fingerprint()


def test_cifar_100_has_two_labels_before_each_image(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3072), dtype=np.uint8)
    (tmp_path / "test.bin").write_bytes(b"".join(b"\x01\x02" + row.tobytes() for row in pixels))
    source = Cifar(path=str(tmp_path), part="test")
    assert np.allclose(everything(source).numpy().reshape(2, -1), pixels / 127.5 - 1, atol=1e-6)
    with pytest.raises(DataError, match=r"holds none of train.bin, data_batch_1.bin"):
        Cifar(path=str(tmp_path))
    (tmp_path / "test.bin").write_bytes(b"\0" * 3073)
    with pytest.raises(DataError, match="3073 bytes, not a multiple of 3074"):
        Cifar(path=str(tmp_path), part="test")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    """Also where a pixel alone is another one: the checksum comes after the last file."""
    (tmp_path / "test_batch.bin").write_bytes(bytes(30 * 3073))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(tmp_path / "test_batch.bin", arcname="cifar/test_batch.bin")
    whole = gzip.compress(packed.getvalue(), 0)  # in blocks of bytes as they are
    path, second = tmp_path / "cifar.tar.gz", 15 + int.from_bytes(whole[11:13], "little")
    for content, message in [
        (put(whole, 5000, 1), "CRC check failed"),
        (put(whole, second, 7), "invalid block type"),
        (whole[:second], "end-of-stream marker"),
    ]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"cannot read .*{message}"):
            Cifar(path=str(path), part="test")
    path.write_bytes(whole)
    assert len(Cifar(path=str(path), part="test")) == 30


def test_a_training_set_without_one_of_its_files_is_read_and_says_so(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    assert Cifar(path=str(tmp_path)).notes == ()
    (tmp_path / "data_batch_3.bin").unlink()
    source = Cifar(path=str(tmp_path))
    assert len(source) == 32
    assert source.notes == ("of CIFAR-10's training files there are 4: no data_batch_3.bin",)
