from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_arrays.numpy_files import Npy, Npz
from ebmkit_arrays.tensors import Tensors
from tests.plugins.arrays.reading import everything, put, saved


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", ">i2", "?", "<u4"])
def test_numbers_of_every_type_are_taken_as_they_are(tmp_path: Path, dtype: str) -> None:
    array = np.arange(12).reshape(4, 3).astype(dtype)
    assert np.array_equal(
        everything(Npy(path=saved(tmp_path / "x.npy", array))).numpy(), array.astype(np.float32)
    )


def test_what_is_no_array_of_numbers_is_refused_with_its_reason(tmp_path: Path) -> None:
    bad = np.ones((5, 2))
    bad[3, 1] = np.nan
    cases = [
        (saved(tmp_path / "nan.npy", bad), {}, "row 3 of .*nan.npy', counted from 0, holds NaN or infinity"),
        (saved(tmp_path / "none.npy", np.ones((0, 2))), {}, "holds no example"),
        (saved(tmp_path / "text.npy", np.array(["a", "b"])), {}, "examples are rows of numbers"),
        (saved(tmp_path / "zero.npy", np.float64(3)), {}, "examples are rows of numbers"),
        (saved(tmp_path / "x.npy", np.ones((5, 2))), {"skip": 5}, "holds 5 examples; skip = 5 leaves none"),
        (
            saved(tmp_path / "x.npy", np.ones((5, 2))),
            {"window": 6},
            "has 5 points, and window = 6 asks for more",
        ),
        (saved(tmp_path / "y.npy", np.ones((5, 2, 2))), {"window": 2}, "cuts a recording"),
        (str(tmp_path / "gone.npy"), {}, "cannot read"),
    ]
    for path, options, message in cases:
        with pytest.raises(DataError, match=message):
            Npy(path=path, **options)


def test_a_pickled_array_is_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot read"):
        Npy(path=str(tmp_path / "x.npy"))
    torch.save(torch.ones(3), tmp_path / "x.pt")
    with pytest.raises(DataError, match=r"pickled file.*safetensors.torch.save_file"):
        Tensors(path=str(tmp_path / "x.pt"))


def test_an_archive_gives_the_array_that_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros((2, 3)), b=np.ones((4, 3)))
    assert len(Npz(path=str(tmp_path / "x.npz"), array="b")) == 4
    with pytest.raises(DataError, match=r"array = … says which .*: a, b"):
        Npz(path=str(tmp_path / "x.npz"))
    with pytest.raises(DataError, match="no array 'c'; there are: a, b"):
        Npz(path=str(tmp_path / "x.npz"), array="c")
    with pytest.raises(DataError, match='use = "npy" reads'):
        Npz(path=saved(tmp_path / "y.npy", np.ones((2, 2))))
    with pytest.raises(DataError, match='use = "npz" reads'):
        Npy(path=str(tmp_path / "x.npz"))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    array = np.zeros((6, 50))
    np.savez(tmp_path / "plain.npz", x=array)
    np.savez_compressed(tmp_path / "packed.npz", x=array)
    for name, offset, byte, message in [
        ("plain.npz", 300, 1, "Bad CRC-32 for file 'x.npy'"),
        ("packed.npz", 0, 7, "invalid block type"),  # 7 begins no block of deflated data
    ]:
        content = (tmp_path / name).read_bytes()
        begin = 30 + sum(struct.unpack("<2H", content[26:30]))  # after the name and the extra field
        (tmp_path / name).write_bytes(put(content, begin + offset, byte))
        with pytest.raises(DataError, match=f"cannot read the array 'x' of .*{name}': .*{message}"):
            Npz(path=str(tmp_path / name))
    header = Path(saved(tmp_path / "x.npy", array)).read_bytes()
    (tmp_path / "x.npy").write_bytes(put(header, header.index(b"}"), ord("{")))
    with pytest.raises(DataError, match=r"cannot read .*x\.npy"):
        Npy(path=str(tmp_path / "x.npy"))
