from __future__ import annotations

import gzip
import io
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ebmkit.core import Source
from ebmkit.errors import DataError
from ebmkit_arrays.cifar import Cifar
from ebmkit_arrays.idx import Idx
from ebmkit_arrays.numpy_files import Npy, Npz
from ebmkit_arrays.samples import write_cifar
from ebmkit_arrays.tables import Csv
from ebmkit_arrays.tensors import Tensors


def everything(source: Source) -> torch.Tensor:
    return source[torch.arange(len(source))]


def saved(path: Path, array: Any) -> str:
    np.save(path, array)
    return str(path)


@pytest.mark.parametrize("shape", [(), (4,), (1, 6), (2, 5, 3), (2, 3, 4, 4)])
def test_the_rows_of_an_array_are_the_examples(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(size=(7, *shape))
    source = Npy(path=saved(tmp_path / "x.npy", array))
    assert (len(source), source.shape) == (7, shape)
    assert np.array_equal(everything(source).numpy(), array.astype(np.float32))
    order = torch.tensor([5, 0, 5])
    assert torch.equal(source[order], everything(source)[order])


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", ">i2", "?", "<u4"])
def test_numbers_of_every_type_are_taken_as_they_are(tmp_path: Path, dtype: str) -> None:
    array = np.arange(12).reshape(4, 3).astype(dtype)
    assert np.array_equal(
        everything(Npy(path=saved(tmp_path / "x.npy", array))).numpy(), array.astype(np.float32)
    )


def test_bytes_are_images_unless_the_scale_says_otherwise(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", np.array([[0, 255], [51, 204]], np.uint8))
    assert torch.allclose(everything(Npy(path=path)), torch.tensor([[-1.0, 1.0], [-0.6, 0.6]]))
    assert everything(Npy(path=path, scale="none")).tolist() == [[0, 255], [51, 204]]


def test_standard_and_range_are_fitted_to_the_whole_file_each_coordinate_by_itself(tmp_path: Path) -> None:
    array = np.random.default_rng(1).normal(size=(300, 3)) * [1, 5, 0] + [4, -20, 7]
    path = saved(tmp_path / "x.npy", array)
    x = everything(Npy(path=path, scale="standard")).double()
    assert torch.allclose(x.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(x.std(0, correction=0)[:2], torch.ones(2, dtype=torch.float64), atol=1e-6)
    assert x[:, 2].tolist() == [0] * 300  # a column that never changes
    y = everything(Npy(path=path, scale="range"))
    assert torch.equal(y.amin(0), torch.tensor([-1.0, -1.0, 0.0]))
    assert torch.equal(y.amax(0), torch.tensor([1.0, 1.0, 0.0]))
    held_out = Npy(path=path, scale="standard", skip=250)
    assert torch.equal(everything(held_out).double(), x[250:])


def test_a_recording_is_cut_into_pieces_and_scaled_by_channel(tmp_path: Path) -> None:
    time = np.arange(100.0)
    path = saved(tmp_path / "x.npy", np.stack([time, 10 * time + 3], 1))
    plain = Npy(path=path, window=8, hop=4)
    assert (len(plain), plain.shape) == (24, (2, 8))
    assert plain[torch.tensor([3])][0].tolist() == [list(range(12, 20)), [10 * t + 3 for t in range(12, 20)]]
    scaled = everything(Npy(path=path, window=8, scale="standard"))
    flat = np.moveaxis(scaled.numpy(), 1, 2).reshape(-1, 2)
    expected = (time - time.mean()) / time.std()
    assert np.allclose(flat, expected[:96, None], atol=1e-6)
    assert Npy(path=saved(tmp_path / "one.npy", time), window=50).shape == (1, 50)


def test_a_shape_turns_a_row_of_numbers_into_a_sequence(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", np.arange(24.0).reshape(2, 12))
    source = Npy(path=path, shape=(1, 12))
    assert source.shape == (1, 12)
    with pytest.raises(DataError, match=r"shape = \[5\] does not fit: an example of .* is 12"):
        Npy(path=path, shape=(5,))


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


def test_a_tensor_of_any_type_is_read_by_its_name(tmp_path: Path) -> None:
    x = torch.arange(12.0).reshape(3, 4)
    save_file({"half": x.bfloat16(), "bytes": x.byte()}, tmp_path / "x.safetensors")
    path = str(tmp_path / "x.safetensors")
    assert torch.equal(everything(Tensors(path=path, tensor="half")), x)
    assert torch.allclose(everything(Tensors(path=path, tensor="bytes")), x / 127.5 - 1)
    with pytest.raises(DataError, match="no tensor 'y'; there are: "):
        Tensors(path=path, tensor="y")


def test_a_table_is_read_column_by_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("﻿name, a ,b\nfirst,1,2\n\nsecond,-3,4e1\n", encoding="utf-8")
    source = Csv(path=str(tmp_path / "x.csv"), columns=("b", "a"), scale="none")
    assert source.columns == ("b", "a")
    assert everything(source).tolist() == [[2, 1], [40, -3]]


def test_a_bad_field_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    cases = {
        "a,b\n1,2\n3,red\n": "x.csv:3: column 'b' holds 'red', not a finite number; columns = ",
        "a,b\n1,inf\n": "x.csv:2: column 'b' holds 'inf'",
        "a,b\n1,2,3\n": "x.csv:2: 3 fields, where 2 columns are named",
        "a,b\n1,\n": "x.csv:2: column 'b' is missing; missing = \"drop\" leaves such rows out",
        "": "is empty: its first line names the columns",
        "a,b\n": "holds no example",
    }
    for text, message in cases.items():
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            Csv(path=str(path))


def test_rows_with_missing_fields_can_be_dropped_and_are_counted(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a;b;c\n1;2;x\n?;3;y\n4;NA;\n5;6;\n")
    source = Csv(
        path=str(tmp_path / "x.csv"), delimiter=";", columns=("a", "b"), missing="drop", scale="none"
    )
    assert everything(source).tolist() == [[1, 2], [5, 6]]
    assert source.notes == ("2 rows with missing fields are left out",)


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
    ]:
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(DataError, match=message):
            Idx(path=str(tmp_path / "x"))


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


def test_the_fingerprint_knows_the_file_and_what_is_made_of_it(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", np.arange(12.0).reshape(6, 2))
    prints = {
        Npy(path=path, **options).fingerprint()
        for options in ({}, {"skip": 1}, {"limit": 3}, {"scale": "range"}, {"shape": (2, 1)}, {"window": 2})
    }
    assert len(prints) == 6
    before = Npy(path=path).fingerprint()
    moved = saved(tmp_path / "y.npy", np.arange(12.0).reshape(6, 2))
    assert Npy(path=moved).fingerprint() == before
    saved(tmp_path / "x.npy", np.arange(1.0, 13).reshape(6, 2))
    assert Npy(path=path).fingerprint() != before


def test_a_file_larger_than_its_blocks_is_scaled_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.random.default_rng(0).normal(size=(50, 3))
    path = saved(tmp_path / "x.npy", array)
    whole = everything(Npy(path=path, scale="standard"))
    monkeypatch.setattr("ebmkit_arrays.scaling._BYTES", 8 * 3 * 7)
    assert torch.allclose(everything(Npy(path=path, scale="standard")), whole, atol=1e-6)
    array[33] = np.inf
    with pytest.raises(DataError, match="row 33 of"):
        Npy(path=saved(tmp_path / "x.npy", array))


def test_gzip_of_a_table_is_no_text(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    buffer.write(gzip.compress(b"a,b\n1,2\n"))
    (tmp_path / "x.csv").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="cannot read"):
        Csv(path=str(tmp_path / "x.csv"))
