from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.errors import DataError
from ebmkit_images.textures import Textures


@pytest.mark.skipif(importlib.util.find_spec("skimage") is None, reason="needs the extra [textures]")
@pytest.mark.parametrize("image", ["brick", "grass", "gravel"])
def test_textures_are_one_image_each(image: Literal["brick", "grass", "gravel"]) -> None:
    source = Textures(image=image, size=224)
    (x,) = source[torch.tensor([0])]
    assert x.shape == (1, 224, 224)
    assert x.std() > 0.05
    assert x.min() >= -1
    assert x.max() <= 1


def test_a_texture_can_be_a_file_of_the_users(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "moss.png")
    source = Textures(path=str(tmp_path / "moss.png"), color=True, size=24)
    (image,) = source[torch.tensor([0])]
    assert torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1)
    with pytest.raises(DataError, match=r"cannot read .*none\.png: No such file"):
        Textures(path=str(tmp_path / "none.png"))


@pytest.mark.parametrize("pixel_range", ["fixed", "image"])
def test_every_window_of_a_texture_is_an_example(
    tmp_path: Path, pixel_range: Literal["fixed", "image"]
) -> None:
    pixels = np.random.default_rng(0).integers(40, 200, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "moss.png")
    path = str(tmp_path / "moss.png")
    (image,) = Textures(path=path, color=True, size=6, pixel_range=pixel_range)[torch.tensor([0])]
    windows = Textures(path=path, color=True, size=6, pixel_range=pixel_range, window=4)
    assert (len(windows), windows.shape) == (9, (3, 4, 4))
    expected = torch.stack([image[:, row : row + 4, column : column + 4] for row, column in np.ndindex(3, 3)])
    order = torch.tensor([8, 0, 4, 4, *range(9)])
    assert torch.allclose(windows[order], expected[order], atol=1e-6)
    assert pixel_range == "image" or torch.equal(windows[order], expected[order])
    others = (Textures(path=path, color=True, size=6, pixel_range=pixel_range, window=3), Textures(path=path))
    assert windows.fingerprint() not in [other.fingerprint() for other in others]
    with pytest.raises(DataError, match="window = 7 does not fit into an image of size = 6"):
        Textures(path=path, size=6, window=7)


def test_missing_scikit_image_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-image"):
        Textures()
