"""Which files of a folder or an archive are the data: hidden ones are not, linked ones are, once."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from ebmkit.errors import DataError
from ebmkit_images.files import Folder, Zip
from ebmkit_images.walk import Walk
from tests.conftest import Ebmkit
from tests.run.test_rollback import RunFile

GREY = b"P5 2 2 255\n\x50\x51\x52\x53"

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


def names(source: Folder | Zip) -> list[str]:
    return list(source._files.place.names)


def put(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(GREY)
    return folder


def archived(path: Path, *files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.writestr(file, GREY)
    return path


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


def test_a_hidden_folder_that_cannot_be_read_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.png", "lost+found/b.png", "locked/c.png")
    listed = os.scandir

    def refused(path: str) -> object:  # by the system, which lets root read everything
        if path.rstrip("/").endswith(("lost+found", "locked")):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=r"cannot read the folder .*/locked/: Permission denied"):
        Folder(path=str(tmp_path), size=2)
    (tmp_path / "locked").rename(tmp_path / ".locked")
    assert names(Folder(path=str(tmp_path), size=2)) == ["a.png"]


def test_a_macos_zip_is_read(tmp_path: Path) -> None:
    path = archived(tmp_path / "mac.zip", "cats/a.png", "cats/b.png")
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("__MACOSX/._cats", "__MACOSX/cats/._a.png", "__MACOSX/cats/._b.png", "cats/.DS_Store"):
            archive.writestr(name, b"\0\x05\x16\x07\0\2\0\0Mac OS X")
    source = Zip(path=str(path), size=2)
    assert names(source) == ["cats/a.png", "cats/b.png"]
    assert source.notes == ("2 images in hidden or service places are left out: __MACOSX (2)",)


def test_a_linked_folder_is_read_as_if_it_stood_there(tmp_path: Path) -> None:
    outside = put(tmp_path / "elsewhere", "1.png", "deep/2.png")
    root = put(tmp_path / "root", "a.png")
    (root / "cats").symlink_to(outside)
    source = Folder(path=str(root), size=2)
    assert names(source) == ["a.png", "cats/1.png", "cats/deep/2.png"]
    assert source.notes == (f"linked folders outside are read too: cats -> {shown(outside)}",)
    shutil.copytree(root, tmp_path / "copy")  # follows links
    assert Folder(path=str(tmp_path / "copy"), size=2).fingerprint() == source.fingerprint()


def shown(path: Path) -> str:
    from ebmkit.messages.quoting import shortened

    return shortened(str(path))


def test_every_folder_is_read_once_and_cycles_end(tmp_path: Path) -> None:
    root = put(tmp_path / "root", "a/1.png", "b/2.png")
    put(tmp_path, "around.png")
    outside = put(tmp_path / "outside", "3.png")
    (root / "a-again").symlink_to(root / "a")
    (root / "self").symlink_to(root)
    (root / "up").symlink_to("..")
    (root / "top").symlink_to("/")
    (root / "a" / "loop").symlink_to(root)
    (root / "x").symlink_to(outside)
    (root / "y").symlink_to(outside)
    (outside / "back").symlink_to(root / "b")
    (outside / "around").symlink_to("..")
    walk = Walk(str(root))
    assert sorted(name for name, _ in walk.files) == ["a/1.png", "b/2.png", "x/3.png"]
    assert walk.notes == (
        f"linked folders outside are read too: x -> {shown(outside)}",
        "links to folders that are read anyway, or around the link, are not followed: "
        "a-again; a/loop; self; and 5 more",
    )


def test_links_that_link_each_other_end(tmp_path: Path) -> None:
    root = put(tmp_path / "root", "1.png")
    p, q = put(tmp_path / "p", "p.png"), put(tmp_path / "q", "q.png")
    (root / "p").symlink_to(p)
    (p / "to-q").symlink_to(q)
    (q / "to-p").symlink_to(p)
    (root / "one").symlink_to(root / "two")
    (root / "two").symlink_to(root / "one")
    source = Folder(path=str(root), size=2)
    assert names(source) == ["1.png", "p/p.png", "p/to-q/q.png"]
    assert "links lead nowhere: one; two" in source.notes


def test_a_link_to_a_hidden_folder_shows_it(tmp_path: Path) -> None:
    put(tmp_path, ".versions/7/a.png")
    (tmp_path / "current").symlink_to(tmp_path / ".versions" / "7")
    (tmp_path / ".linked").symlink_to(tmp_path / ".versions")
    source = Folder(path=str(tmp_path), size=2)
    assert names(source) == ["current/a.png"]
    assert source.notes == ("1 image in hidden or service places is left out: .versions (1)",)


def test_the_order_in_which_a_disk_lists_files_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = put(tmp_path / "root", "a/1.png", "b/2.png")
    outside = put(tmp_path / "outside", "3.png", "deep/4.png")
    for link in ("z", "m", "b/n"):
        (root / link).symlink_to(outside)
    (root / "a" / "k").symlink_to(outside / "deep")
    once = Folder(path=str(root), size=2)
    listed = os.scandir

    class Reversed:
        def __init__(self, path: str) -> None:
            with listed(path) as entries:
                self.found = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.found

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Reversed)
    again = Folder(path=str(root), size=2)
    assert names(again) == names(once)
    assert again.fingerprint() == once.fingerprint()
    assert again.notes == once.notes
    # The first by name wins, and a link deeper in the data is one of them.
    assert names(once) == ["a/1.png", "a/k/4.png", "b/2.png", "b/n/3.png"]


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    (tmp_path / "cats").symlink_to(tmp_path / "nowhere")
    source = Folder(path=str(tmp_path), size=2)
    assert names(source) == ["a.png"]
    assert source.notes == ("links lead nowhere: cats",)


def test_links_in_an_archive_are_left_out_and_named(tmp_path: Path) -> None:
    path = archived(tmp_path / "a.zip", "a.png")
    link = zipfile.ZipInfo("b.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "a.png")
    source = Zip(path=str(path), size=2)
    assert names(source) == ["a.png"]
    assert source.notes == ("links in the archive are not followed: b.png",)


def test_names_of_any_bytes_are_told_on_one_line(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    for name in (b".\xff\n", b"caf\xe9"):
        os.mkdir(root + b"/" + name)  # noqa: PTH102
        with open(root + b"/" + name + b"/a.png", "wb") as file:  # noqa: PTH123
            file.write(GREY)
    os.symlink("nowhere", root + b"/lo\nst\xe9")  # noqa: PTH211
    source = Folder(path=str(tmp_path), size=2)
    assert len(source) == 1
    assert "".join(source.notes).encode().isascii()
    assert not any("\n" in note for note in source.notes)


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
