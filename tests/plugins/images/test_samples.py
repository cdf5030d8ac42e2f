from __future__ import annotations

from pathlib import Path

from PIL import Image

from ebmkit_images.files import Folder, Zip
from ebmkit_images.samples import write_archive, write_folder, write_image
from ebmkit_images.textures import Textures


def test_the_folder_holds_images_of_several_sizes_colour_and_grey_one_deeper(tmp_path: Path) -> None:
    source = Folder(**write_folder(tmp_path), size=16)
    names = list(source._files.place.names)
    assert names == ["0.png", "1.png", "2.png", "3.png", "4.png", "more/last.png"]
    opened = [Image.open(tmp_path / name) for name in names]
    assert {each.mode for each in opened} == {"RGB", "L"}
    assert len({each.size for each in opened}) == 6
    assert len({each.tobytes() for each in opened}) == 6


def test_the_archive_is_the_same_data(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    folder = Folder(**write_folder(tmp_path / "folder"), size=16)
    assert Zip(**write_archive(tmp_path), size=16).fingerprint() == folder.fingerprint()


def test_the_image_is_one_example(tmp_path: Path) -> None:
    source = Textures(**write_image(tmp_path), size=16)
    assert (len(source), source.shape) == (1, (1, 16, 16))
