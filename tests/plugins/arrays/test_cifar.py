from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_arrays.cifar import Cifar
from ebmkit_arrays.samples import write_cifar
from tests.plugins.arrays.reading import everything


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
