from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_arrays.cifar import Cifar
from ebmkit_arrays.idx import Idx
from ebmkit_arrays.numpy_files import Npy, Npz
from ebmkit_arrays.rows import Rows
from ebmkit_arrays.tables import Csv
from ebmkit_arrays.tensors import Tensors
from tests.plugins.arrays.reading import everything, saved


@pytest.mark.parametrize("shape", [(), (4,), (1, 6), (2, 5, 3), (2, 3, 4, 4)])
def test_the_rows_of_an_array_are_the_examples(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(size=(7, *shape))
    source = Npy(path=saved(tmp_path / "x.npy", array))
    assert (len(source), source.shape) == (7, shape)
    assert np.array_equal(everything(source).numpy(), array.astype(np.float32))
    order = torch.tensor([5, 0, 5])
    assert torch.equal(source[order], everything(source)[order])


def test_a_shape_turns_a_row_of_numbers_into_a_sequence(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", np.arange(24.0).reshape(2, 12))
    source = Npy(path=path, shape=(1, 12))
    assert source.shape == (1, 12)
    with pytest.raises(DataError, match=r"shape = \[5\] does not fit: an example of .* is 12"):
        Npy(path=path, shape=(5,))


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


@pytest.mark.parametrize(("skip", "limit"), [(0, 0), (3, 0), (0, 4), (2, 3), (5, 100)])
def test_skip_and_limit_cut_a_piece_out_of_the_whole(tmp_path: Path, skip: int, limit: int) -> None:
    """In the units of the whole file, so that what is held out is comparable."""
    path = saved(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(10, 3)))
    whole = everything(Npy(path=path, scale="range"))
    piece = everything(Npy(path=path, scale="range", skip=skip, limit=limit))
    assert torch.equal(piece, whole[skip : skip + (limit or 10)])


@pytest.mark.parametrize("source", [Cifar, Csv, Idx, Npy, Npz, Tensors])
def test_a_path_that_no_file_can_have_is_an_error_of_the_data(source: Callable[..., Rows]) -> None:
    with pytest.raises(DataError, match=r"a.*b"):
        source(path="a\0b")
