"""From a picture file to pixels of 8 bits, and what is said where that cannot be."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ebmkit.errors import DataError
from ebmkit.pictures import load_picture
from ebmkit.pictures.levels import UnknownRangeError
from ebmkit.pictures.load import printable

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS)


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    stream.seek(0)
    return stream


def loaded(stream: io.BytesIO, **options: Any) -> np.ndarray:
    return np.asarray(load_picture(stream, "a.png", **{"color": True, **options}))


def test_colours_come_back_as_they_are_and_grey_is_their_luma() -> None:
    """ITU-R 601: 0.299 R + 0.587 G + 0.114 B, rounded."""
    assert np.array_equal(loaded(encoded(PICTURE)), PIXELS)
    luma = PIXELS @ np.array([0.299, 0.587, 0.114])
    grey = loaded(encoded(PICTURE), color=False)
    assert grey.shape == (6, 9)
    assert np.abs(grey - luma).max() <= 0.51


def test_a_grey_picture_has_three_equal_colours() -> None:
    found = loaded(encoded(PICTURE.convert("L")))
    assert found.shape == (6, 9, 3)
    assert all(np.array_equal(found[..., colour], np.asarray(PICTURE.convert("L"))) for colour in range(3))


def test_alpha_is_left_out_and_covers_nothing() -> None:
    veiled = PICTURE.copy()
    veiled.putalpha(Image.fromarray(np.arange(54, dtype=np.uint8).reshape(6, 9)))
    assert np.array_equal(loaded(encoded(veiled)), PIXELS)


def test_a_palette_becomes_its_colours_and_its_transparency_is_no_matter() -> None:
    few = Image.fromarray(np.repeat(PIXELS[:1, :1], 4, 0)).convert("P", palette=Image.Palette.ADAPTIVE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = loaded(encoded(few, transparency=b"\0"))
    assert np.array_equal(found, np.repeat(PIXELS[:1, :1], 4, 0))


def test_of_an_animation_the_first_picture_counts() -> None:
    frames = [Image.new("L", (4, 4), level) for level in (10, 200)]
    stream = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert {*loaded(stream).flatten()} == {10}


def test_a_picture_that_claims_more_pixels_is_refused_before_it_is_decoded() -> None:
    """Half of its data is not there, which nobody comes to see."""
    content = encoded(PICTURE).getvalue()
    half = io.BytesIO(content[: len(content) // 2])
    with pytest.raises(DataError) as refused:
        loaded(half, max_pixels=53)
    assert str(refused.value) == "a.png has 9x6 pixels, more than max_pixels = 53"
    with pytest.raises(DataError, match=r"^cannot read the image a\.png: "):
        loaded(half, max_pixels=54)
    assert np.array_equal(loaded(encoded(PICTURE), max_pixels=54), PIXELS)


def test_a_picture_of_unknown_range_is_called_by_its_name_and_can_be_stretched() -> None:
    values = np.linspace(3.0, 9.0, 16, dtype=np.float32).reshape(4, 4)
    stream = encoded(Image.fromarray(values), "TIFF")
    with pytest.raises(UnknownRangeError, match=r"^a\.png "):
        loaded(stream)
    stream.seek(0)
    found = loaded(stream, stretch=True, color=False).flatten()
    assert (found[0], found[-1]) == (0, 255)
    assert np.abs(found - np.linspace(0, 255, 16)).max() <= 0.51


def test_too_little_memory_says_nothing_about_the_picture() -> None:
    class Empty(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise MemoryError

    with pytest.raises(MemoryError):
        load_picture(Empty(b""), "a.png", color=True)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ä b.png", "ä b.png"),
        ("a\nb\t.png", "a\\nb\\t.png"),
        ("a\x1b[31m.png", "a\\x1b[31m.png"),
        ("\udcff.png", "\\udcff.png"),
    ],
)
def test_a_name_stands_on_one_line_and_moves_no_cursor(name: str, shown: str) -> None:
    assert printable(name) == shown
