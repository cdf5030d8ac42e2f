from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_arrays.numpy_files import Npy
from ebmkit_arrays.scaling import blocks, fitted
from tests.plugins.arrays.reading import everything, saved


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


def test_a_map_of_channels_is_that_of_points_wherever_they_lie_in_a_piece() -> None:
    points = np.random.default_rng(2).normal(size=(12, 2)) * [1, 30] + [0, 5]
    of_points = fitted("standard", points)
    pieces = points.reshape(3, 4, 2).swapaxes(1, 2)
    assert np.array_equal(of_points.of_channels()(pieces), of_points(points).reshape(3, 4, 2).swapaxes(1, 2))
    one = fitted("none", points)
    assert one.of_channels() is one


def test_blocks_are_all_rows_in_order_and_none_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(42, dtype=np.int32).reshape(14, 3)
    for size, lengths in ((8 * 3 * 4, [4, 4, 4, 2]), (8 * 3 * 7, [7, 7]), (1, [1] * 14), (2**20, [14])):
        monkeypatch.setattr("ebmkit_arrays.scaling._BYTES", size)
        found = list(blocks(rows))
        assert [len(each) for each in found] == lengths
        assert np.array_equal(np.concatenate(found), rows)
