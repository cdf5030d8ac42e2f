from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ebmkit.errors import DataError
from ebmkit_arrays.tensors import Tensors
from tests.plugins.arrays.reading import everything


def test_a_tensor_of_any_type_is_read_by_its_name(tmp_path: Path) -> None:
    x = torch.arange(12.0).reshape(3, 4)
    save_file({"half": x.bfloat16(), "bytes": x.byte()}, tmp_path / "x.safetensors")
    path = str(tmp_path / "x.safetensors")
    assert torch.equal(everything(Tensors(path=path, tensor="half")), x)
    assert torch.allclose(everything(Tensors(path=path, tensor="bytes")), x / 127.5 - 1)
    with pytest.raises(DataError, match="no tensor 'y'; there are: "):
        Tensors(path=path, tensor="y")


def test_one_tensor_needs_no_name_and_several_do(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one.safetensors"), str(tmp_path / "two.safetensors")
    save_file({"x": torch.ones(2, 3)}, one)
    save_file({"b": torch.ones(2, 3), "a": torch.ones(2, 3)}, two)
    assert torch.equal(everything(Tensors(path=one)), torch.ones(2, 3))
    with pytest.raises(
        DataError, match=r"tensor = … says which of '.*two\.safetensors' to read: [ab], [ab]$"
    ):
        Tensors(path=two)


@pytest.mark.parametrize(
    ("tensor", "found"),
    [
        (torch.tensor(1.0), r"torch\.float32 of shape \(\)"),
        (torch.ones(2, 3) * 1j, r"torch\.complex64 of shape \(2, 3\)"),
    ],
    ids=["one number", "complex"],
)
def test_what_is_no_row_of_numbers_is_refused(tmp_path: Path, tensor: torch.Tensor, found: str) -> None:
    save_file({"x": tensor}, tmp_path / "x.safetensors")
    with pytest.raises(DataError, match=f"holds {found}: examples are rows of numbers"):
        Tensors(path=str(tmp_path / "x.safetensors"))


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".pkl"])
def test_a_pickled_file_is_refused_unopened(tmp_path: Path, suffix: str) -> None:
    """It need not even be there."""
    with pytest.raises(DataError, match="is a pickled file"):
        Tensors(path=str(tmp_path / f"x{suffix}"))
