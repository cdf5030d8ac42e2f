"""A few image files, for the checks of the sources that read some."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["write_archive", "write_folder", "write_image"]

_COUNT = 6


def write_folder(folder: Path) -> Mapping[str, Any]:
    """Images of several sizes, colour and grey, one in a sub-folder; returns their ``path``."""
    (folder / "more").mkdir()
    for number in range(_COUNT):
        name = "more/last.png" if number == _COUNT - 1 else f"{number}.png"
        _draw(number).save(folder / name)
    return {"path": str(folder)}


def write_archive(folder: Path) -> Mapping[str, Any]:
    """The images of ``write_folder`` in a zip archive; returns its ``path``."""
    images, archive = folder / "images", folder / "images.zip"
    images.mkdir()
    write_folder(images)
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(images.rglob("*.png")):
            opened.write(path, path.relative_to(images))
    return {"path": str(archive)}


def write_image(folder: Path) -> Mapping[str, Any]:
    """One image; returns its ``path``."""
    _draw(0).save(folder / "image.png")
    return {"path": str(folder / "image.png")}


def _draw(number: int) -> Image.Image:
    """Noise of its own, in colour where the number is even."""
    channels = (3,) if number % 2 == 0 else ()
    shape = (16 + number, 20, *channels)
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8))
