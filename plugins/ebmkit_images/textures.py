"""Three real textures that come with a Python package."""

from __future__ import annotations

from typing import Annotated, Literal, final

from ebmkit.core import Ge
from ebmkit.errors import DataError
from ebmkit_images.decode import decode
from ebmkit_images.memory import ImageSource, PixelRange
from ebmkit_images.packages import package_folder

__all__ = ["Textures"]


@final
class Textures(ImageSource):
    """One photograph of a texture, 512x512 grey: brick, grass or gravel.

    It is read from the files of the package scikit-image (extra ``textures``), which is not imported.

    Args:
        image: ``brick``, ``grass`` or ``gravel``.
        size: side of the image in pixels; the centre square is resized by LANCZOS.
        crop: side of the centre square that is kept, in pixels; 0 keeps all 512.
        pixel_range: ``fixed`` maps 0..255 to [-1, 1]; ``image`` stretches darkest and brightest
            value to -1 and 1.

    Raises:
        DataError: scikit-image is not installed, or carries no such texture.

    Source: ``skimage.data.brick``, ``grass`` and ``gravel``.
    """

    def __init__(
        self,
        *,
        image: Literal["brick", "grass", "gravel"] = "brick",
        size: Annotated[int, Ge(1)] = 224,
        crop: Annotated[int, Ge(0)] = 0,
        pixel_range: PixelRange = "fixed",
    ) -> None:
        package = package_folder(
            "skimage", requirement="scikit-image", extra="textures", holds="these textures"
        )
        path = package / "data" / f"{image}.png"
        try:
            with path.open("rb") as stream:
                pixels = decode(stream, str(path), size=size, color=False, crop=crop)
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from None
        super().__init__([pixels], mirror=False, pixel_range=pixel_range)
