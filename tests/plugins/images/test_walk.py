from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ebmkit.errors import DataError
from ebmkit_images.files import Folder
from ebmkit_images.walk import Walk
from tests.plugins.images.pictures import GREY, grey, names, put


@pytest.fixture
def odd_entries(tmp_path: Path) -> Path:
    folder = tmp_path / "odd"
    (folder / "directory.png").mkdir(parents=True)
    grey().save(folder / "good.png")
    grey().save(folder / "directory.png" / "inside.png")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    return folder


def test_loops_pipes_and_folders_named_like_images_do_not_hang(odd_entries: Path) -> None:
    source = Folder(path=str(odd_entries))
    assert list(source._files.place.names) == ["directory.png/inside.png", "good.png"]


@pytest.mark.parametrize("target", ["nowhere", "broken.png"])
def test_a_link_that_leads_nowhere_is_named(target: str, tmp_path: Path) -> None:
    grey().save(tmp_path / "good.png")
    (tmp_path / "broken.png").symlink_to(tmp_path / target)
    with pytest.raises(DataError, match=r"broken\.png"):
        Folder(path=str(tmp_path))
    assert len(Folder(path=str(tmp_path), on_bad="skip")) == 1


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


def test_files_come_with_their_sizes_and_a_link_that_leads_nowhere_with_none(tmp_path: Path) -> None:
    put(tmp_path, "a.png", ".hidden/b.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no image")
    sizes = {"a.png": len(GREY), ".hidden/b.png": len(GREY), "link.png": len(GREY), "lost.png": 0}
    assert dict(Walk(str(tmp_path)).files) == sizes
