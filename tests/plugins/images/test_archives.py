from __future__ import annotations

import pickle
import stat
import zipfile
from pathlib import Path

import pytest
import torch

from ebmkit.errors import DataError
from ebmkit_images.archives import Archive
from ebmkit_images.files import Folder, Zip
from ebmkit_images.folders import Directory
from ebmkit_images.places import Choice
from tests.plugins.images.pictures import GREY, archived, encoded, grey, names, picture, put


def test_hostile_zips_are_streams_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../outside.png", encoded(grey()))
        archive.writestr("/absolute.png", encoded(grey()))
        archive.writestr("bomb.webp", bytes(30_000_000))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("/absolute.png", encoded(grey(1)))
    before = sorted(tmp_path.rglob("*"))
    source = Zip(path=str(path), on_bad="skip", max_pixels=10_000)
    assert len(source) == 3
    assert "bomb.webp has 30000000 bytes" in source.notes[0]
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "outside.png").exists()


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", encoded(grey()))
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flag in the local header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"secret\.zip:a\.png.*encrypted"):
        Zip(path=str(path))


def test_links_in_an_archive_are_left_out_and_named(tmp_path: Path) -> None:
    path = archived(tmp_path / "a.zip", "a.png")
    link = zipfile.ZipInfo("b.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "a.png")
    source = Zip(path=str(path), size=2)
    assert names(source) == ["a.png"]
    assert source.notes == ("links in the archive are not followed: b.png",)


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


def test_an_archive_indexes_its_members_as_a_folder_does_its_files(tmp_path: Path) -> None:
    """Names, sizes and checksums, of which the identity of the data is made."""
    put(tmp_path / "f", "b.png", "sub/c.png")
    (tmp_path / "f" / "a.jpg").write_bytes(bytes(5000))
    with zipfile.ZipFile(tmp_path / "f.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (tmp_path / "f").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "f"))
    files, members = Directory(str(tmp_path / "f"), Choice()), Archive(str(tmp_path / "f.zip"), Choice())
    for place in (files, members):
        place.keep([2, 0])
    assert list(members.names) == list(files.names) == ["sub/c.png", "a.jpg"]
    for at in range(2):
        assert (members.size(at), members.checksum(at)) == (files.size(at), files.checksum(at))
        with members.open(at) as member, files.open(at) as file:
            assert member.read() == file.read()
    assert members.label(0) == f"{tmp_path}/f.zip:sub/c.png"


def test_another_process_opens_the_archive_for_itself(tmp_path: Path) -> None:
    place = Archive(str(archived(tmp_path / "f.zip", "a.png", "b.png", "c.png")), Choice("[bc].png"))
    again = pickle.loads(pickle.dumps(place))  # noqa: S301 - its own bytes
    place._zip.close()
    assert list(again.names) == ["b.png", "c.png"]
    with again.open(1) as member:
        assert member.read() == GREY


def test_an_archive_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = archived(tmp_path / "f.zip", "a.png")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 200
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read the zip archive '.*f\.zip': zip file version 20\.0"):
        Zip(path=str(path), size=2)
