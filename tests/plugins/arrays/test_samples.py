from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ebmkit_arrays import samples
from ebmkit_arrays.cifar import Cifar
from ebmkit_arrays.idx import Idx
from ebmkit_arrays.numpy_files import Npy, Npz
from ebmkit_arrays.rows import Rows
from ebmkit_arrays.tables import Csv
from ebmkit_arrays.tensors import Tensors
from tests.plugins.arrays.reading import everything

WRITTEN: list[tuple[Callable[[Path], Mapping[str, Any]], Callable[..., Rows], int, tuple[int, ...]]] = [
    (samples.write_npy, Npy, 8, (5,)),
    (samples.write_npz, Npz, 8, (1, 6, 6)),
    (samples.write_tensors, Tensors, 8, (1, 6, 6)),
    (samples.write_csv, Csv, 8, (3,)),
    (samples.write_idx, Idx, 8, (1, 6, 6)),
    (samples.write_cifar, Cifar, 5 * 8, (3, 32, 32)),
]


@pytest.mark.parametrize(
    ("write", "read", "count", "shape"), WRITTEN, ids=[write.__name__ for write, *_ in WRITTEN]
)
def test_each_sample_is_read_by_its_source_as_examples_that_differ(
    write: Callable[[Path], Mapping[str, Any]],
    read: Callable[..., Rows],
    count: int,
    shape: tuple[int, ...],
    tmp_path: Path,
) -> None:
    source = read(**write(tmp_path))
    assert (len(source), source.shape) == (count, shape)
    assert len(everything(source).flatten(1).unique(dim=0)) == count


def test_there_is_a_sample_for_every_source_of_the_package() -> None:
    assert sorted(each.__name__ for each, *_ in WRITTEN) == sorted(samples.__all__)
