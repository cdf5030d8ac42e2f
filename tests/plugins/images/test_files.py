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
from tests.plugins.images.pictures import encoded, grey, picture
from tests.run.test_rollback import RunFile


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


def test_names_that_are_no_utf8_are_read_and_can_be_shown(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    with pytest.raises(DataError) as error:
        Folder(path=str(tmp_path))
    assert "caf" in str(error.value).encode().decode()


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
