"""Every depth of pixels lands where the format says, read from folders, archives and streams alike."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from ebmkit.applications.loading import read_image
from ebmkit.errors import DataError
from ebmkit.pictures.levels import eight_bits
from ebmkit_images.files import Folder, Zip
from ebmkit_images.textures import Textures

SIDE = 8
HALF_A_LEVEL = 1 / 255 + 1e-6
RAMP = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)


def saved(image: Image.Image, kind: str = "TIFF", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(depth: int, colour: int, samples: NDArray[np.integer], extra: bytes = b"") -> bytes:
    """A PNG written by hand, for what Pillow does not write: rows of big-endian samples of ``depth`` bits."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    bits = (samples[..., None] >> np.arange(depth)[::-1]) & 1
    rows = np.packbits(bits.reshape(len(samples), -1).astype(np.uint8), axis=1)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", SIDE, len(samples), depth, colour, 0, 0, 0)
    end = chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + end


def tiff(
    bits: int, samples: bytes, *, kind: int = 1, photometric: int = 1, big: bool = False, alpha: bool = False
) -> bytes:
    """A TIFF of one strip, grey; ``alpha``: with a second sample that the first is multiplied by."""
    order = ">" if big else "<"
    values = [(256, SIDE), (257, SIDE), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1 + alpha)]
    values += [(278, SIDE), (279, len(samples)), *([(338, 1)] if alpha else []), (339, kind)]
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in values)
    if alpha:
        two = struct.pack(f"{order}HHIHH", 258, 3, 2, bits, bits)
        entries = entries[:24] + two + entries[36:]
    directory = struct.pack(f"{order}H", len(values)) + entries + bytes(4)
    header = (b"MM\0\x2a" if big else b"II\x2a\0") + struct.pack(f"{order}I", 8 + len(samples))
    return header + samples + directory


def packed(values: NDArray[np.integer], bits: int) -> bytes:
    spread = (values[..., None] >> np.arange(bits)[::-1]) & 1
    return np.packbits(spread.reshape(SIDE, -1).astype(np.uint8), axis=1).tobytes()


def whole(top: int) -> NDArray[np.int64]:
    return np.rint(RAMP * top).astype(np.int64)


def array(values: NDArray[Any], dtype: str) -> Image.Image:
    return Image.fromarray(values.astype(dtype))


BYTES = whole(255)
DEEP = whole(65535)
RGB = np.stack([BYTES, BYTES[::-1], BYTES.T], -1).astype(np.uint8)
CMYK = np.stack([BYTES, BYTES[::-1], BYTES.T, BYTES // 3], -1).astype(np.uint8)
INK = (1 - CMYK[..., :3] / 255.0) * (1 - CMYK[..., 3:] / 255.0)
ALPHA = np.full((SIDE, SIDE), 7, np.uint8)
PALETTE = array(BYTES, "u1").convert("P")

GREY: dict[str, tuple[bytes, NDArray[np.floating]]] = {
    "1.png": (png(1, 0, (BYTES > 99).astype(int)), (BYTES > 99) * 1.0),
    "2.png": (png(2, 0, whole(3)), whole(3) / 3),
    "4.png": (png(4, 0, whole(15)), whole(15) / 15),
    "8.png": (png(8, 0, BYTES), BYTES / 255),
    "16.png": (png(16, 0, DEEP), DEEP / 65535),
    "1.tif": (saved(array(BYTES > 99, "bool")), (BYTES > 99) * 1.0),
    "8.tif": (tiff(8, packed(BYTES, 8)), BYTES / 255),
    "8-white-is-zero.tif": (tiff(8, packed(255 - BYTES, 8), photometric=0), BYTES / 255),
    "12.tif": (tiff(12, packed(whole(4095), 12)), whole(4095) / 4095),
    "16.tif": (tiff(16, DEEP.astype("<u2").tobytes()), DEEP / 65535),
    "16-big.tif": (tiff(16, DEEP.astype(">u2").tobytes(), big=True), DEEP / 65535),
    "16-white-is-zero.tif": (tiff(16, (65535 - DEEP).astype("<u2").tobytes(), photometric=0), DEEP / 65535),
    "float.tif": (tiff(32, RAMP.astype("<f4").tobytes(), kind=3), RAMP),
    "float-big.tif": (tiff(32, RAMP.astype(">f4").tobytes(), kind=3, big=True), RAMP),
    "float-white-is-zero.tif": (tiff(32, (1 - RAMP).astype("<f4").tobytes(), kind=3, photometric=0), RAMP),
    "8.pgm": (b"P5 8 8 255\n" + packed(BYTES, 8), BYTES / 255),
    "7.pgm": (b"P5 8 8 100\n" + packed(whole(100), 8), whole(100) / 100),
    "10.pgm": (b"P5 8 8 1000\n" + whole(1000).astype(">u2").tobytes(), whole(1000) / 1000),
    "16.pgm": (b"P5 8 8 65535\n" + DEEP.astype(">u2").tobytes(), DEEP / 65535),
    "float.pfm": (b"Pf\n8 8\n-1.0\n" + RAMP[::-1].astype("<f4").tobytes(), RAMP),
    "16.jp2": (saved(array(DEEP, "u2"), "JPEG2000"), DEEP / 65535),
    "LA.png": (saved(Image.merge("LA", [array(BYTES, "u1"), Image.fromarray(ALPHA)]), "PNG"), BYTES / 255),
    "LA16.png": (png(16, 4, np.stack([DEEP, 0 * DEEP], -1)), DEEP / 65535),
    "La.tif": (
        tiff(8, np.stack([BYTES, 0 * BYTES + 255], -1).astype("u1").tobytes(), alpha=True),
        BYTES / 255,
    ),
    "P.png": (saved(PALETTE, "PNG"), BYTES / 255),
    "P-transparent.png": (saved(PALETTE, "PNG", transparency=bytes(range(256))), BYTES / 255),
    "P.gif": (saved(PALETTE, "GIF", transparency=3), BYTES / 255),
    "PA.tif": (saved(PALETTE.convert("PA")), BYTES / 255),
    "grey-transparent.png": (saved(array(BYTES, "u1"), "PNG", transparency=3), BYTES / 255),
}
"""Grey pictures with the share of white that each pixel is."""

if "La" not in {mode for mode, _ in TiffImagePlugin.OPEN_INFO.values()}:  # an older Pillow refuses it
    del GREY["La.tif"]

COLOUR: dict[str, tuple[bytes, NDArray[np.floating]]] = {
    "RGB.png": (saved(Image.fromarray(RGB), "PNG"), RGB / 255),
    "RGB16.png": (png(16, 2, RGB.astype(int) * 257), RGB / 255),
    "RGBA.png": (saved(Image.fromarray(np.dstack([RGB, ALPHA])), "PNG"), RGB / 255),
    "RGBA16.png": (png(16, 6, np.dstack([RGB, ALPHA]).astype(int) * 257), RGB / 255),
    "RGBX.tif": (saved(Image.fromarray(RGB).convert("RGBX")), RGB / 255),
    "CMYK.tif": (saved(Image.fromarray(CMYK, "CMYK")), INK),
    "RGB.bmp": (saved(Image.fromarray(RGB), "BMP"), RGB / 255),
    "RGB.webp": (saved(Image.fromarray(RGB), "WEBP", lossless=True), RGB / 255),
}

REFUSED: dict[str, tuple[bytes, str]] = {
    "float-255.tif": (saved(array(BYTES, "f4")), "holds floats from 0 to 255, and not from 0 to 1"),
    "float-signed.tif": (saved(array(RAMP * 2 - 1, "f4")), "holds floats from -1 to 1, and not from 0 to 1"),
    "int32.tif": (saved(array(BYTES, "i4")), "holds signed integers of 32 bits, from 0 to 255"),
    "uint32.tif": (tiff(32, BYTES.astype("<u4").tobytes()), "holds integers of 32 bits, from 0 to 255"),
    "int16.tif": (tiff(16, BYTES.astype("<i2").tobytes(), kind=2), "holds signed integers of 16 bits"),
    "uint16-255.png": (png(16, 0, BYTES), "has 16 bits per pixel and no value above 255"),
    "uint16-255.tif": (saved(array(BYTES, "u2")), "has 16 bits per pixel and no value above 255"),
}
"""Pictures of unknown range, which a stretch to their own makes known."""

NO_COLOUR: dict[str, tuple[bytes, str]] = {
    "int8.tif": (tiff(8, packed(BYTES, 8), kind=2), "mode L of signed numbers"),
    "LAB.tif": (saved(Image.fromarray(RGB, "LAB")), "mode LAB"),
    "nan.tif": (saved(array(np.where(RAMP > 0.5, np.nan, RAMP), "f4")), "not finite numbers"),
    "inf.tif": (saved(array(np.where(RAMP > 0.5, np.inf, RAMP), "f4")), "not finite numbers"),
}


def sources(tmp_path: Path, name: str, content: bytes) -> list[Callable[..., Folder | Zip]]:
    """A folder and a zip with this one file, each in memory and streamed."""
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr(name, content)
    return [
        lambda cache=cache, source=source, path=path, **options: source(
            path=str(tmp_path / path), size=SIDE, cache=cache, **options
        )
        for source, path in ((Folder, "f"), (Zip, "f.zip"))
        for cache in (1024, 0)
    ]


@pytest.mark.parametrize("name", GREY)
def test_a_grey_pixel_is_its_share_of_white(name: str, tmp_path: Path) -> None:
    content, white = GREY[name]
    expected = torch.from_numpy(white).float() * 2 - 1
    allowed = 2 / 255 + 1e-6 if name in ("LA16.png", "16.jp2") else HALF_A_LEVEL
    for source in sources(tmp_path, name, content):
        (x,) = source(color=False)[torch.tensor([0])]
        assert (x[0] - expected).abs().max() <= allowed
        assert (x.min(), x.max()) == (-1, 1)
    path = tmp_path / "f" / name
    assert (read_image(path, (1, SIDE, SIDE))[0] - expected).abs().max() <= allowed
    assert (Textures(path=str(path), size=SIDE)[torch.tensor([0])][0, 0] - expected).abs().max() <= allowed


@pytest.mark.parametrize("name", COLOUR)
def test_a_colour_is_its_share_of_red_green_and_blue(name: str, tmp_path: Path) -> None:
    content, white = COLOUR[name]
    expected = torch.from_numpy(white).float().permute(2, 0, 1) * 2 - 1
    for source in sources(tmp_path, name, content):
        (x,) = source(color=True)[torch.tensor([0])]
        assert (x - expected).abs().max() <= HALF_A_LEVEL


@pytest.mark.parametrize("name", REFUSED)
def test_an_unknown_range_is_refused_and_can_be_the_pictures_own(name: str, tmp_path: Path) -> None:
    content, reason = REFUSED[name]
    own = RAMP if "signed" in name else BYTES / 255
    for source in sources(tmp_path, name, content):
        with pytest.raises(DataError) as refused:
            source(color=False)[torch.tensor([0])]
        assert f"{name} {reason}" in str(refused.value)
        assert str(refused.value).endswith('in its full range, or say pixel_range = "image"')
        (x,) = source(color=False, pixel_range="image")[torch.tensor([0])]
        assert (x[0] - (torch.from_numpy(own).float() * 2 - 1)).abs().max() <= HALF_A_LEVEL
    with pytest.raises(DataError) as refused:
        read_image(tmp_path / "f" / name, (1, SIDE, SIDE))
    assert str(refused.value).endswith("in its full range")


@pytest.mark.parametrize("name", NO_COLOUR)
def test_what_means_no_colour_is_refused_by_name(name: str, tmp_path: Path) -> None:
    content, reason = NO_COLOUR[name]
    for source in sources(tmp_path, name, content):
        for pixel_range in ("fixed", "image"):
            with pytest.raises(DataError) as refused:
                source(pixel_range=pixel_range)[torch.tensor([0])]
            assert name in str(refused.value)
            assert reason in str(refused.value)


def test_bad_depths_are_left_out_by_name(tmp_path: Path) -> None:
    for name, (content, _) in {**REFUSED, **NO_COLOUR, "8.png": GREY["8.png"]}.items():
        (tmp_path / name).write_bytes(content)
    source = Folder(path=str(tmp_path), size=SIDE, on_bad="skip")
    assert len(source) == 1
    assert source.notes[0].startswith(f"{len(REFUSED) + len(NO_COLOUR)} unreadable images are left out: ")


def test_twelve_of_sixteen_bits_are_stretched_before_they_become_eight(tmp_path: Path) -> None:
    # From 16 bits over 8 only 16 levels would be left.
    (tmp_path / "a.png").write_bytes(png(16, 0, whole(4095)))
    x = Folder(path=str(tmp_path), size=SIDE, color=False, pixel_range="image")[torch.tensor([0])]
    assert len(x.unique()) == SIDE * SIDE


@pytest.mark.parametrize("mode", [*Image.MODES, "I;16", "I;16L", "I;16B", "I;16N"])
def test_no_mode_of_pillow_is_forgotten(mode: str) -> None:
    image = Image.new(mode, (4, 4))
    if mode in ("LAB", "RGBa"):
        with pytest.raises(ValueError, match=f"mode {mode},"):
            eight_bits(image)
    elif mode == "I":
        with pytest.raises(DataError):
            eight_bits(image)
    else:
        assert np.asarray(eight_bits(image).convert("RGB")).shape == (4, 4, 3)


def test_black_is_black_at_every_depth(tmp_path: Path) -> None:
    for number, dtype in enumerate(("u1", "u2", "f4")):
        array(0 * BYTES, dtype).save(tmp_path / f"{number}.tif")
    for pixel_range in ("fixed", "image"):
        x = Folder(path=str(tmp_path), size=SIDE, pixel_range=pixel_range)[torch.arange(3)]  # type: ignore[arg-type]
        assert torch.all(x == -1)
