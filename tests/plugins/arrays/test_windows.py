from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ebmkit_arrays.numpy_files import Npy
from ebmkit_arrays.windows import windows
from tests.plugins.arrays.reading import everything, saved


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


@pytest.mark.parametrize("channels", [(), (2,)], ids=["one channel", "two channels"])
def test_piece_i_begins_at_i_hops_and_shares_the_recordings_memory(channels: tuple[int, ...]) -> None:
    recording = np.random.default_rng(0).normal(size=(20, *channels))
    for length, hop in ((3, 1), (3, 3), (5, 7), (20, 1)):
        pieces = windows(recording, length, hop, "x.npy")
        assert len(pieces) == (20 - length) // hop + 1
        for number, piece in enumerate(pieces):
            expected = recording[number * hop : number * hop + length].reshape(length, -1)
            assert np.array_equal(piece, expected.T)
        assert np.shares_memory(pieces, recording)
