"""Pictures, and folders and archives of them, for the tests of the image sources."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from ebmkit_images.files import Folder, Zip


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def grey(value: int = 90, side: int = 12) -> Image.Image:
    return Image.new("L", (side, side), value)


GREY = b"P5 2 2 255\n\x50\x51\x52\x53"


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


def picture(width: int = 20, height: int = 20, mode: str = "RGB", seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)
