"""One texture: a photograph of the user's own, or one that comes with a Python package."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ebmkit.core import Exists, Ge
from ebmkit.errors import DataError
from ebmkit_images.decode import Form, Pixels, Side, decode
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
        window: side of squares of which every one in the image is an example, in pixels; 0 takes the image
            as the only one. With windows no pixel has a fixed place, so that the grid of strided layers
            cannot be matched with the photograph's.

    Raises:
        DataError: no such file, or an unreadable one; without a path, scikit-image is not installed; a
            window larger than the image.

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
        window: Annotated[int, Ge(0)] = 0,
    ) -> None:
        file = Path(path) if path else _packaged(image)
        form = Form(size, color, crop, stretch=pixel_range == "image")
        try:
            with file.open("rb") as stream:
                (pixels,) = decode(stream, str(file), form)
        except OSError as error:
            raise DataError(f"cannot read {file}: {error.strerror}") from None
        if not window:
            super().__init__(pixels[None], mirror=False, pixel_range=pixel_range)
            return
        if window > size:
            raise DataError(f"window = {window} does not fit into an image of size = {size}")
        stretched = _stretched(pixels) if pixel_range == "image" else pixels
        super().__init__(_Windows(stretched, window), mirror=False, pixel_range="fixed")
        self.concurrent = False  # it is all in memory

    def fingerprint(self) -> str:
        """That of the image and of what is made of it, without going through every window."""
        if isinstance(self.pixels, _Windows):
            said = repr((len(self), self.shape)).encode() + self.pixels.image.tobytes()
            return hashlib.sha256(said).hexdigest()
        return super().fingerprint()

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check sources/textures`` reads without a path: a small image."""
        from ebmkit.testing import SourceClaims

        return SourceClaims(files=write_image)


class _Windows:
    """Every square of one image, row by row: a store of ``(rows * columns, C, side, side)`` pixels.

    Args:
        image: ``(C, H, W)``.
        side: of a square.
    """

    def __init__(self, image: NDArray[Any], side: int) -> None:
        self.image = image
        self._views = sliding_window_view(image, (side, side), axis=(1, 2))

    @property
    def shape(self) -> tuple[int, ...]:
        channels, rows, columns, *size = self._views.shape
        return (rows * columns, channels, *size)

    def __getitem__(self, index: NDArray[np.int64]) -> Pixels:
        rows, columns = np.divmod(index, self._views.shape[2])
        return self._views[:, rows, columns].swapaxes(0, 1)


def _stretched(image: Pixels) -> NDArray[np.float32]:
    """Darkest and brightest value of the whole image to 0 and 255."""
    low, high = float(image.min()), float(image.max())
    return ((image.astype(np.float32) - low) * (255 / max(high - low, 1))).astype(np.float32)


def _packaged(image: str) -> Path:
    package = package_folder("skimage", requirement="scikit-image", extra="textures", holds="these textures")
    return package / "data" / f"{image}.png"
