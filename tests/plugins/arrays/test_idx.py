from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_arrays.idx import Idx
from tests.plugins.arrays.reading import everything, put


def idx(array: np.ndarray[Any, Any], code: int) -> bytes:
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_idx_images_are_read_packed_or_not_and_padded_with_background(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    (tmp_path / "x").write_bytes(idx(images, 0x08))
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(images, 0x08)))
    plain, packed = Idx(path=str(tmp_path / "x")), Idx(path=str(tmp_path / "x.gz"))
    assert plain.shape == (1, 4, 5)
    assert np.allclose(everything(plain)[:, 0].numpy(), images / 127.5 - 1, atol=1e-6)
    assert torch.equal(everything(plain), everything(packed))
    padded = everything(Idx(path=str(tmp_path / "x"), pad=2))
    assert torch.equal(padded[..., 2:-2, 2:-2], everything(plain))
    assert padded[..., :2, :].unique().tolist() == [-1.0]


def test_idx_numbers_are_big_endian(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(6, 3))
    (tmp_path / "x").write_bytes(idx(numbers.astype(">f8"), 0x0E))
    assert np.array_equal(everything(Idx(path=str(tmp_path / "x"))).numpy(), numbers.astype(np.float32))


def test_a_damaged_idx_file_is_refused(tmp_path: Path) -> None:
    whole = idx(np.zeros((3, 4, 4), np.uint8), 0x08)
    for content, message in [
        (whole[:-1], "has 63 bytes unpacked, where its header says 64"),
        (whole + b"x", "has 65 bytes unpacked, where its header says 64"),
        (whole[:9], "is cut short"),
        (b"\x89PNG\r\n", "is not an IDX file"),
        (b"", "is not an IDX file"),
        (gzip.compress(whole)[:-3], "cannot read"),
        (put(gzip.compress(whole), 10, 7), "cannot read .*invalid block type"),
    ]:
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(DataError, match=message):
            Idx(path=str(tmp_path / "x"))


@pytest.mark.parametrize("shape", [(4,), (4, 3)])
def test_only_images_can_be_padded(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / "x").write_bytes(idx(np.ones(shape, np.uint8), 0x08))
    assert len(Idx(path=str(tmp_path / "x"))) == 4
    with pytest.raises(DataError, match=rf"pad = 2 adds edges to images; .* holds {re.escape(str(shape))}"):
        Idx(path=str(tmp_path / "x"), pad=2)
