"""One texture: a photograph of the user's own, or one that comes with a Python package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, final

from ebmkit.core import Exists, Ge
from ebmkit.errors import DataError
from ebmkit_images.decode import Form, Side, decode
from ebmkit_images.packages import package_folder
from ebmkit_images.samples import write_image
from ebmkit_images.source import ImageSource, PixelRange

if TYPE_CHECKING:
    from ebmkit.testing import SourceClaims

__all__ = ["Textures"]


@final
class Textures(ImageSource):
    """One photograph of a texture: a file of yours, or 512x512 grey brick, grass or gravel.

    Those three are read from the files of the package scikit-image (extra ``textures``), which is not
    imported.

    Args:
        image: ``brick``, ``grass`` or ``gravel``, where no ``path`` is given.
        path: an image file of your own instead.
        color: RGB, or grey.
        size: side of the image in pixels; the centre square is resized by LANCZOS.
        crop: side of the centre square that is kept, in pixels; 0 keeps the largest.
        pixel_range: ``fixed`` maps 0..255 to [-1, 1]; ``image`` stretches darkest and brightest
            value to -1 and 1.

    Raises:
        DataError: no such file, or an unreadable one; without a path, scikit-image is not installed.

    Source: ``skimage.data.brick``, ``grass`` and ``gravel``.
    """

    def __init__(
        self,
        *,
        image: Literal["brick", "grass", "gravel"] = "brick",
        path: Annotated[str, Exists()] = "",
        color: bool = False,
        size: Side = 224,
        crop: Annotated[int, Ge(0)] = 0,
        pixel_range: PixelRange = "fixed",
    ) -> None:
        file = Path(path) if path else _packaged(image)
        form = Form(size, color, crop, stretch=pixel_range == "image")
        try:
            with file.open("rb") as stream:
                pixels = decode(stream, str(file), form)
        except OSError as error:
            raise DataError(f"cannot read {file}: {error.strerror}") from None
        super().__init__(pixels[None], mirror=False, pixel_range=pixel_range)

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check sources/textures`` reads without a path: a small image."""
        from ebmkit.testing import SourceClaims

        return SourceClaims(files=write_image)


def _packaged(image: str) -> Path:
    package = package_folder("skimage", requirement="scikit-image", extra="textures", holds="these textures")
    return package / "data" / f"{image}.png"
