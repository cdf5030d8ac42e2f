"""Bad files are found and named, whatever they are; odd but good ones are read by a stated rule."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ebmkit.errors import DataError
from ebmkit_images.files import Folder, Zip
from tests.conftest import Ebmkit
from tests.run.test_rollback import RunFile


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def grey(value: int = 90, side: int = 12) -> Image.Image:
    return Image.new("L", (side, side), value)


def huge_header(side: int) -> bytes:
    """A PNG of a few bytes that claims side x side pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND\xaeB`\x82"


JPEG = encoded(Image.effect_noise((64, 64), 50), "JPEG")
BAD = {
    "half.jpg": JPEG[: len(JPEG) // 2],
    "empty.png": b"",
    "page.jpg": b"<!doctype html><html>404</html>",
    "zeros.png": bytes(512),
    "text.gif": b"not a picture",
    "bomb12000.png": huge_header(12_000),
    "bomb100000.png": huge_header(100_000),
    "header.png": encoded(grey())[:20],
    "crc.png": encoded(grey()).replace(b"IDAT", b"IDAX"),
    "new\nline.png": b"x",
    "-rf.png": b"x",
    "l" * 240 + ".png": b"x",
}
GOOD = {
    "cmyk.jpg": encoded(Image.new("CMYK", (12, 12), (0, 0, 0, 0)), "JPEG"),
    "sixteen.png": encoded(Image.fromarray(np.full((12, 12), 128 * 257, dtype=np.uint16))),
    "palette.png": encoded(grey(7).convert("P")),
    "alpha.png": encoded(Image.new("RGBA", (12, 12), (10, 20, 30, 0))),
    "one.png": encoded(grey(50, side=1)),
    "two words 😀.png": encoded(grey(60)),
    "moving.gif": encoded(grey(0), "GIF", save_all=True, append_images=[grey(255)]),
    "CON.png": encoded(grey(61)),
}


@pytest.fixture(params=["folder", "zip"])
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Folder | Zip]:
    """A folder or a zip with all of ``BAD`` and ``GOOD``."""
    folder = tmp_path / "planted"
    folder.mkdir()
    for name, content in {**BAD, **GOOD}.items():
        (folder / name).write_bytes(content)
    if request.param == "folder":
        return lambda **options: Folder(path=str(folder), size=8, **options)  # type: ignore[arg-type]
    with zipfile.ZipFile(tmp_path / "planted.zip", "w") as archive:
        for name, content in {**BAD, **GOOD}.items():
            archive.writestr(name, content)
    return lambda **options: Zip(path=str(tmp_path / "planted.zip"), size=8, **options)  # type: ignore[arg-type]


def shown(name: str) -> str:
    return name.replace("\n", "\\n")


def test_every_bad_file_is_found_and_no_good_one(planted: Callable[..., Folder | Zip]) -> None:
    source = planted(on_bad="skip")
    assert len(source) == len(GOOD)
    assert sorted(source._files.place.names) == sorted(GOOD)
    (note,) = source.notes
    assert note.startswith(f"{len(BAD)} unreadable images are left out: ")
    assert note.endswith(f"and {len(BAD) - 3} more")
    assert "\n" not in note


@pytest.mark.parametrize("name", BAD)
def test_each_bad_file_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BAD[name])
    with pytest.raises(DataError) as error:
        Folder(path=str(tmp_path))
    assert shown(name) in str(error.value)


def test_odd_images_are_read_by_the_stated_rules(planted: Callable[..., Folder | Zip]) -> None:
    source = planted(on_bad="skip", cache=0)
    names = list(source._files.place.names)
    first = ((source[torch.arange(len(names))][:, :, 0, 0] + 1) * 127.5).round().int().tolist()
    colours = dict(zip(names, first, strict=True))
    assert colours["sixteen.png"] == [128] * 3
    assert colours["alpha.png"] == [10, 20, 30]
    assert colours["one.png"] == [50] * 3
    assert colours["moving.gif"] == [0] * 3
    assert colours["cmyk.jpg"] == [255] * 3


def test_a_limit_on_pixels_names_the_numbers(tmp_path: Path) -> None:
    grey(side=20).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png has 20x20 pixels, more than max_pixels = 399"):
        Folder(path=str(tmp_path), max_pixels=399)
    assert len(Folder(path=str(tmp_path), max_pixels=400)) == 1


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


def test_names_that_are_no_utf8_are_read_and_can_be_shown(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    with pytest.raises(DataError) as error:
        Folder(path=str(tmp_path))
    assert "caf" in str(error.value).encode().decode()


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


@pytest.mark.parametrize("cache", [0, 1024])
def test_identical_images_are_refused_before_training(
    cache: int, run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    for number in range(40):
        grey().save(images / f"{number:02}.png")
    file = run_file("coopnets")
    run = ("run", file, "--set", f"data.cache={cache}", "--set", "run.iterations=1")
    outcome = ebmkit(*run)
    assert outcome.code == 2
    assert "all 16 examples that were looked at, of 40, are identical" in outcome.err
    assert not Path("runs").exists()
    grey(91).save(images / "37.png")  # many copies of one image are no reason, as long as there are others
    assert ebmkit(*run).code == 0


def test_what_is_left_out_is_told_at_the_start(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    (images / "broken.png").write_bytes(b"<html>")
    assert ebmkit("run", run_file("coopnets")).code == 2
    outcome = ebmkit("run", run_file("coopnets"), "--set", "data.on_bad=skip", "--set", "run.iterations=1")
    assert outcome.code == 0
    assert "1 unreadable images are left out" in outcome.out
    assert "broken.png" in outcome.out


@pytest.mark.parametrize("source", [Folder, Zip])
@pytest.mark.parametrize(
    ("path", "reason"),
    [("a" * 5000, "File name too long"), ("a\0b", "null byte"), ("there.png/images", "does not exist")],
)
def test_a_path_that_cannot_be_is_an_error_of_the_data(
    source: type[Folder | Zip], path: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    grey().save("there.png")
    with pytest.raises(DataError, match=reason):
        source(path=path, size=12)


def test_a_folder_and_an_archive_that_are_taken_for_each_other(tmp_path: Path) -> None:
    archive = tmp_path / "faces.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("1.png", encoded(grey()))
    with pytest.raises(DataError, match='is not a folder but a zip archive, which use = "zip" reads'):
        Folder(path=str(archive), size=12)
    with pytest.raises(DataError, match='is a folder, which use = "folder" reads'):
        Zip(path=str(tmp_path), size=12)
