from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ebmkit_images.decode import Pixels
from ebmkit_images.files import Folder
from ebmkit_images.source import ImageSource, PixelRange, stack


def test_stretching_gives_each_image_its_own_full_range(tmp_path: Path) -> None:
    image = Image.new("L", (8, 8), 100)
    image.putpixel((0, 0), 150)
    image.save(tmp_path / "x.png")
    Image.new("L", (8, 8), 7).save(tmp_path / "y.png")
    x, flat = Folder(path=str(tmp_path), size=8, color=False, pixel_range="image")[torch.arange(2)]
    assert (x.min(), x.max()) == (-1, 1)
    assert torch.all(flat == -1)


def bytes_of(count: int, *, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, 2, 3, 5), dtype=np.uint8)


def test_every_byte_has_its_place_between_minus_one_and_one() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    (x,) = ImageSource(pixels, mirror=False, pixel_range="fixed")[torch.tensor([0])]
    assert torch.equal(x.flatten(), torch.arange(256) / 127.5 - 1)


@pytest.mark.parametrize("pixel_range", ["fixed", "image"])
def test_the_second_half_of_a_mirrored_source_is_the_first_turned(pixel_range: PixelRange) -> None:
    pixels = bytes_of(4)
    plain, both = (ImageSource(pixels, mirror=each, pixel_range=pixel_range) for each in (False, True))
    assert (len(plain), len(both)) == (4, 8)
    index = torch.tensor([3, 7, 0, 4, 4])
    x = both[index]
    assert torch.equal(x[[0, 2]], plain[index[[0, 2]]])
    assert torch.equal(x[[1, 3, 4]], plain[index[[1, 3, 4]] - 4].flip(-1))
    assert np.array_equal(pixels, bytes_of(4))  # what is kept is left as it was


def test_a_store_in_memory_is_not_read_ahead_and_any_other_is() -> None:
    class Elsewhere:
        shape = (4, 2, 3, 5)

        def __getitem__(self, index: NDArray[np.int64]) -> Pixels:
            return bytes_of(4)[index]

    kept = ImageSource(stack(bytes_of(4)), mirror=True, pixel_range="fixed")
    read = ImageSource(Elsewhere(), mirror=True, pixel_range="fixed")
    assert (kept.concurrent, read.concurrent) == (False, True)
    assert kept.shape == read.shape == (2, 3, 5)
    assert torch.equal(kept[torch.arange(8)], read[torch.arange(8)])
