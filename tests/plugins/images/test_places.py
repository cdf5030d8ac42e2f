"""Which files of a folder or an archive are the data: hidden ones are not, linked ones are, once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from ebmkit.errors import DataError
from ebmkit_images.files import Folder, Zip
from tests.conftest import Ebmkit
from tests.plugins.images.pictures import archived, names, put
from tests.run.test_rollback import RunFile

SHOWN = ["a.png", "Trash/b.png", "sub/c.JPG"]
ASIDE = [
    "._a.png",
    "sub/._c.jpg",
    ".hidden.png",
    ".Trash/d.png",
    ".Trash-1000/files/e.png",
    ".ipynb_checkpoints/a-checkpoint.png",
    "sub/.ipynb_checkpoints/c-checkpoint.jpg",
    ".thumbnails/large/f.png",
    "@eaDir/a.png/SYNOPHOTO_THUMB_S.jpg",
    "__MACOSX/._a.png",
    "__MACOSX/sub/g.png",
    "$RECYCLE.BIN/S-1-5/h.png",
    "$Recycle.Bin/i.png",
    "lost+found/j.png",
]
NO_PICTURES = [
    "README.txt",
    "labels.csv",
    "Thumbs.db",
    ".DS_Store",
    "desktop.ini",
    "png",
    "a.png.json",
    "b.pdf",
]
NOTE = (
    f"{len(ASIDE)} images in hidden or service places are left out: ._* (2); .ipynb_checkpoints (2); "
    "__MACOSX (2); and 8 more"
)


def test_what_nobody_means_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = put(tmp_path / "f", *SHOWN, *ASIDE, *NO_PICTURES)
    archive = archived(tmp_path / "f.zip", *SHOWN, *ASIDE, *NO_PICTURES)
    a, b = Folder(path=str(folder), size=2), Zip(path=str(archive), size=2)
    assert names(a) == names(b) == sorted(SHOWN)
    assert a.notes == b.notes == (NOTE,)
    assert a.fingerprint() == b.fingerprint()
    clean = Folder(path=str(put(tmp_path / "clean", *SHOWN)), size=2)
    assert clean.notes == ()
    assert clean.fingerprint() == a.fingerprint()


@pytest.mark.parametrize("aside", ASIDE)
def test_each_hidden_place_is_found(aside: str, tmp_path: Path) -> None:
    assert names(Folder(path=str(put(tmp_path / "f", "a.png", aside)), size=2)) == ["a.png"]
    with pytest.raises(DataError) as error:
        Zip(path=str(archived(tmp_path / "f.zip", aside)), size=2)
    assert "holds no image file (JPEG, PNG" in str(error.value)
    assert "1 image in hidden or service places is left out: " in str(error.value)


def test_a_hidden_folder_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path / ".data" / "__MACOSX", "a.png")
    assert names(Folder(path=str(tmp_path / ".data" / "__MACOSX"), size=2)) == ["a.png"]


def test_a_macos_zip_is_read(tmp_path: Path) -> None:
    path = archived(tmp_path / "mac.zip", "cats/a.png", "cats/b.png")
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("__MACOSX/._cats", "__MACOSX/cats/._a.png", "__MACOSX/cats/._b.png", "cats/.DS_Store"):
            archive.writestr(name, b"\0\x05\x16\x07\0\2\0\0Mac OS X")
    source = Zip(path=str(path), size=2)
    assert names(source) == ["cats/a.png", "cats/b.png"]
    assert source.notes == ("2 images in hidden or service places are left out: __MACOSX (2)",)


def test_the_notes_are_seen_at_the_start_of_a_run(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    put(images, ".Trash/old.png", "._00.png")
    (images / "loop").symlink_to(images)
    outcome = ebmkit("run", run_file("coopnets"), "--set", "run.iterations=1")
    assert outcome.code == 0
    said = " ".join(outcome.out.split())
    assert "2 images in hidden or service places are left out: .Trash (1); ._* (1)" in said
    assert "links to folders that are read anyway, or around the link, are not followed: loop" in said
    assert "12 examples" in said


def test_files_beside_the_images_are_no_errors(tmp_path: Path) -> None:
    for name in NO_PICTURES:
        (tmp_path / name).write_bytes(b"no picture")
    Image.new("L", (2, 2), 7).save(tmp_path / "a.png")
    source = Folder(path=str(tmp_path), size=2)
    assert names(source) == ["a.png"]
    assert source.notes == ()
    assert source[torch.tensor([0])].mean() == pytest.approx(7 / 127.5 - 1)


def test_a_pattern_chooses_by_name_and_folder(tmp_path: Path) -> None:
    for name, grey in (("daisy/a.png", 51), ("rose/a.png", 102), ("rose/b.png", 153)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), grey).save(tmp_path / name)
    source = Folder(path=str(tmp_path), size=8, color=False, pattern="rose/*")
    assert len(source) == 2
    assert source[torch.tensor([1])].mean() == pytest.approx(153 / 127.5 - 1)
    with pytest.raises(DataError, match=r"3 images, and none matches pattern = 'tulip/\*'"):
        Folder(path=str(tmp_path), pattern="tulip/*")
