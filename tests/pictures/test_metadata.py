"""Odd metadata cost no good picture; damaged pixels do."""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ebmkit.errors import DataError
from ebmkit.pictures import load_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS)

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:PIL"
)  # as `ebmkit.pictures` has it outside of tests


def encoded(kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    PICTURE.save(stream, kind, **options)
    return stream.getvalue()


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(load_picture(io.BytesIO(content), "a", color=True))


def chunk(name: bytes, data: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(name + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


LONG = zlib.compress(b"a" * 3_000_000)
PNG = encoded("PNG")
CHUNKS = {
    "text-without-end": (b"tEXt", b"key"),
    "text-too-long": (b"zTXt", b"key\0\0" + LONG),
    "text-no-zlib": (b"zTXt", b"key\0\0xx"),
    "text-other-method": (b"zTXt", b"key\0\1xx"),
    "international-too-long": (b"iTXt", b"key\0\1\0\0\0" + LONG),
    "profile-too-long": (b"iCCP", b"name\0\0" + LONG),
    "profile-cut": (b"iCCP", b""),
    "profile-no-zlib": (b"iCCP", b"name\0\0bad"),
    "resolution-cut": (b"pHYs", b"\0"),
    "resolution-zero": (b"pHYs", bytes(9)),
    "gamma-cut": (b"gAMA", b""),
    "white-cut": (b"cHRM", b"\0"),
    "space-cut": (b"sRGB", b""),
    "transparency-cut": (b"tRNS", b"\0"),
    "animation-cut": (b"acTL", b"\0"),
    "frame-cut": (b"fcTL", b"\0"),
    "exif-no-tiff": (b"eXIf", b"xx"),
    "exif-cut": (b"eXIf", b"II*\0\x08\0\0\0\xff\xff"),
    "unknown": (b"zzZz", b"?"),
}


@pytest.mark.parametrize("at", [33, len(PNG) - 12], ids=["before", "after"])
@pytest.mark.parametrize("checksum", [None, 1], ids=["summed", "wrong-sum"])
@pytest.mark.parametrize("name", CHUNKS)
def test_a_broken_chunk_beside_the_pixels_costs_nothing(name: str, checksum: int | None, at: int) -> None:
    assert np.array_equal(pixels(PNG[:at] + chunk(*CHUNKS[name], checksum) + PNG[at:]), PIXELS)


def test_a_broken_chunk_leaves_a_png_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded("PNG", exif=exif)
    upright = PIXELS.swapaxes(0, 1)[:, ::-1]
    assert np.array_equal(pixels(content), upright)
    assert np.array_equal(pixels(content[:33] + chunk(*CHUNKS["text-too-long"]) + content[33:]), upright)


def test_a_png_whose_pixels_are_damaged_is_refused() -> None:
    at = PNG.index(b"IDAT") + 40
    for damaged in (PNG[:-40], PNG[:at] + bytes([PNG[at] ^ 1]) + PNG[at + 1 :]):
        with pytest.raises(DataError, match="cannot read the image a"):
            pixels(damaged)
        with pytest.raises(DataError, match="cannot read the image a"):
            pixels(damaged[:33] + chunk(*CHUNKS["text-too-long"]) + damaged[33:])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_of_exif_is_turned_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {
        1: PIXELS,
        2: PIXELS[:, ::-1],
        3: PIXELS[::-1, ::-1],
        4: PIXELS[::-1],
        5: PIXELS.swapaxes(0, 1),
        6: PIXELS.swapaxes(0, 1)[:, ::-1],
        7: PIXELS.swapaxes(0, 1)[::-1, ::-1],
        8: PIXELS.swapaxes(0, 1)[::-1],
    }
    content = encoded(kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    assert np.array_equal(pixels(content), turned[orientation])


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(pixels(encoded("PNG", exif=exif)), PIXELS)


def test_damaged_segments_of_a_jpeg_change_no_pixel() -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x011A], exif[0x011B] = "what it shows", 72.0, 72.0
    content = encoded("JPEG", exif=exif, dpi=(72, 72), icc_profile=b"x" * 300, comment=b"hello")
    whole = pixels(content)
    chance = random.Random(0)
    begin, end = 24, content.index(b"\xff\xdb")  # behind the segment that says it is a JPEG
    spans, at = [], 20
    while at < end:
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        spans.append((at + 4, at + 2 + length))
        at += 2 + length
    assert begin < end
    assert len(spans) == 3
    for _ in range(600):
        damaged = bytearray(content)
        first, last = chance.choice(spans)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(first, last)] = chance.choice([0, 255, chance.randrange(256)])
        if b"\x01\x12\x00" in damaged:  # by chance an orientation
            continue
        assert np.array_equal(pixels(bytes(damaged)), whole)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x10",
        b"MPF\0II*\0\xff\xff\xff\x7f",
        b"MPF\0" + bytes(20),
        b"ICC_PROFILE\0",
        b"JFIF\0",
        b"Adobe",
        b"Photoshop 3.0\x008BIM\x03\xed",
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation='9'>",
    ],
)
@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE])
def test_a_broken_segment_of_a_jpeg_costs_nothing(marker: int, body: bytes) -> None:
    content = encoded("JPEG")
    segment = bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
    assert np.array_equal(pixels(content[:20] + segment + content[20:]), pixels(content))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_with_a_broken_segment_keeps_its_colours_and_its_upright(mode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    PICTURE.convert(mode).save(stream, "JPEG", exif=exif, icc_profile=b"x" * 100)
    content = stream.getvalue()
    broken = content[:2] + b"\xff\xe2\x00\x0eICC_PROFILE\0" + content[2:]
    assert pixels(content).shape == (20, 12, 3)
    assert np.array_equal(pixels(broken), pixels(content))


def test_a_jpeg_whose_pixels_are_damaged_is_refused() -> None:
    content = encoded("JPEG")
    segment = b"\xff\xe2\x00\x0eICC_PROFILE\0"
    for damaged in (content[: len(content) // 2], content[:2] + segment + content[2 : len(content) // 2]):
        with pytest.raises(DataError, match="cannot read the image a"):
            pixels(damaged)


@pytest.mark.parametrize("dpi", [(0, 0), (1e-9, 1e9)])
def test_a_weird_resolution_is_nobodys_business(dpi: tuple[float, float]) -> None:
    assert np.array_equal(pixels(encoded("TIFF", dpi=dpi)), PIXELS)
