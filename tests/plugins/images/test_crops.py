"""Several squares of each image as examples of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ebmkit_images.files import Folder

SIDE = 46
"""Of the images below, in which squares lie one pixel apart."""


def photographs(folder: Path, *names: str) -> str:
    """A folder of noise, higher than wide by 4 pixels, so that the centre square starts two rows down."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (SIDE + 4, SIDE), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    return str(folder)


def everything(source: Folder) -> torch.Tensor:
    return source[torch.arange(len(source))]


def test_squares_go_from_left_to_right_and_rows_of_them_down(tmp_path: Path) -> None:
    """Of their own size, so that nothing is resized."""
    path = photographs(tmp_path, "one.png")
    x = everything(Folder(path=path, size=SIDE - 2, color=False, crops=3))
    pixels = np.asarray(Image.open(f"{path}/one.png"), dtype=np.float32) / 127.5 - 1
    assert x.shape == (9, 1, SIDE - 2, SIDE - 2)
    for number, square in enumerate(x):
        row, column = divmod(number, 3)
        exact = pixels[2 + row : row + SIDE, column : column + SIDE - 2]
        assert np.abs(square[0].numpy() - exact).max() < 1e-6


def test_one_square_is_the_image_as_ever(tmp_path: Path) -> None:
    path = photographs(tmp_path, "one.png", "two.png")
    plain, one = Folder(path=path, size=16), Folder(path=path, size=16, crops=1)
    assert torch.equal(everything(plain), everything(one))
    assert plain.fingerprint() == one.fingerprint() != Folder(path=path, size=16, crops=2).fingerprint()


def test_streamed_and_in_any_order_they_are_the_same(tmp_path: Path) -> None:
    path = photographs(tmp_path, "one.png", "two.png", "three.png")
    kept = Folder(path=path, size=16, crops=2, mirror=True)
    streamed = Folder(path=path, size=16, crops=2, mirror=True, cache=0)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    assert len(kept) == len(streamed) == 24
    assert torch.equal(kept[order], streamed[order])
    assert torch.equal(kept[torch.arange(12, 24)], kept[torch.arange(12)].flip(3))


def test_the_first_examples_are_of_different_photographs(tmp_path: Path) -> None:
    path = photographs(tmp_path, "one/1.png", "three/1.png", "two/1.png")
    x = everything(Folder(path=path, size=16, crops=2))
    for number, name in enumerate(("one", "three", "two")):
        assert torch.equal(x[number::3], everything(Folder(path=f"{path}/{name}", size=16, crops=2)))


def test_each_square_has_the_class_of_its_image(tmp_path: Path) -> None:
    path = photographs(tmp_path, "daisy/1.png", "rose/1.png", "rose/2.png")
    source = Folder(path=path, size=16, crops=2, mirror=True, labels=True)
    found = source.condition(torch.arange(len(source)))
    assert found is not None
    assert found.tolist() == 2 * 4 * [0, 1, 1]
