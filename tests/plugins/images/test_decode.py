from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.errors import DataError
from ebmkit_images.files import Folder
from tests.conftest import RUN_FILES, Ebmkit
from tests.plugins.images.pictures import grey, picture


def test_a_limit_on_pixels_names_the_numbers(tmp_path: Path) -> None:
    grey(side=20).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png has 20x20 pixels, more than max_pixels = 399"):
        Folder(path=str(tmp_path), max_pixels=399)
    assert len(Folder(path=str(tmp_path), max_pixels=400)) == 1


@pytest.mark.parametrize("size", [8193, 10**6, 10**20])
def test_a_size_beyond_all_pictures_is_out_of_range(
    size: int, ebmkit: Ebmkit, tmp_path: Path, images: Path
) -> None:
    file = tmp_path / "run.toml"
    file.write_text(RUN_FILES["descriptor-only"].replace("{images}", str(images)))
    outcome = ebmkit("check", file, "--set", f"data.size={size}")
    assert outcome.code == 2
    assert "error[E105]: 'size' must be <= 8192" in outcome.err


def test_a_resized_image_is_pillows_lanczos_of_the_centre(tmp_path: Path) -> None:
    original = picture(40, 30)
    original.save(tmp_path / "x.png")
    expected = original.crop((10, 5, 30, 25)).resize((16, 16), Image.Resampling.LANCZOS)
    x = Folder(path=str(tmp_path), size=16, crop=20)[torch.tensor([0])][0]
    back = x.add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    # Resizing inside a box reads the pixels around it, so only the border may differ.
    assert np.array_equal(back[4:-4, 4:-4], np.asarray(expected)[4:-4, 4:-4])


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "I;16"])
@pytest.mark.parametrize("color", [True, False])
def test_every_kind_of_image_becomes_rgb_or_grey(tmp_path: Path, mode: str, color: bool) -> None:
    image = Image.new("I;16", (9, 9)) if mode == "I;16" else picture(9, 9, mode)
    image.save(tmp_path / ("x.tif" if mode == "CMYK" else "x.png"))
    source = Folder(path=str(tmp_path), size=8, color=color)
    assert source.shape == (3 if color else 1, 8, 8)


def test_an_image_is_turned_upright_as_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image = Image.new("L", (8, 8))
    image.paste(255, (0, 0, 8, 4))
    image.save(tmp_path / "x.png", exif=exif)
    x = Folder(path=str(tmp_path), size=8, color=False)[torch.tensor([0])][0, 0]
    assert x[:4].max() == -1
    assert x[4:].min() == 1


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    picture().save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match=r"bomb\.png"):
        Folder(path=str(tmp_path))
