"""Pictures that commands wrote."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def picture_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size
