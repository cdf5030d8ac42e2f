"""Images of the user's own, in a folder or a zip archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, final

from torch import Tensor

from ebmkit.core import Exists, Ge, Le, MinLen
from ebmkit.pictures import MOST_PIXELS
from ebmkit_images.archives import Archive
from ebmkit_images.decode import Crops, Form, Side
from ebmkit_images.folders import Directory
from ebmkit_images.labels import Labels
from ebmkit_images.places import Choice, Place, few
from ebmkit_images.samples import write_archive, write_folder
from ebmkit_images.source import ImageSource, PixelRange
from ebmkit_images.streamed import DecodedFiles, identity, in_memory_or_streamed, leave_out_bad

if TYPE_CHECKING:
    from ebmkit.testing import SourceClaims

__all__ = ["Folder", "Zip"]

Count = Annotated[int, Ge(0)]
OnBad = Literal["error", "skip"]


class _Files(ImageSource):
    """Images that are files of their own somewhere."""

    def __init__(
        self,
        place: Place,
        form: Form,
        *,
        mirror: bool,
        pixel_range: PixelRange,
        cache: int,
        on_bad: OnBad,
        labels: bool,
    ) -> None:
        files = DecodedFiles(place, form)
        self.notes = place.notes
        if on_bad == "skip" and (bad := leave_out_bad(files)):
            self.notes += (f"{len(bad)} unreadable images are left out: {few(bad)}",)
        pixels = in_memory_or_streamed(files, cache=cache)
        super().__init__(pixels, mirror=mirror, pixel_range=pixel_range, squares=form.crops**2)
        self._files = files
        self._labels = Labels(place.names, place.label) if labels else None
        self.classes = self._labels.classes if self._labels is not None else ()

    def condition(self, index: Tensor) -> Tensor | None:
        """The number of the class of each image, ``(n,) -> (n,)`` int64; None without labels."""
        if self._labels is None:
            return None
        return self._labels[index % (self.pixels.shape[0] // self.squares)]

    def fingerprint(self) -> str:
        """SHA-256 over names, sizes and checksums of the files and what is made of them."""
        form, labelled = self._files.form, () if self._labels is None else (self.classes,)
        cropped = () if form.crops == 1 else (f"crops = {form.crops}",)
        return identity(self._files.place, form, self.mirror, self.pixel_range, *labelled, *cropped)


@final
class Folder(_Files):
    """Every image file under a folder, in the order of the names.

    An image has the suffix of one of these formats: JPEG, PNG, GIF, WebP, TIFF, BMP, AVIF, JPEG 2000, PPM,
    QOI, SGI, Sun, PCX, TGA. Other files are no part of the data; one that has such a suffix and is no image
    stops the run with its path. Hidden ones, and those in trash, thumbnail and checkpoint folders, are left
    out, and linked folders are read once; both are told at the start.

    A set that fits into ``cache`` is decoded at the start; a larger one is streamed: each image is decoded
    when its batch is due, ahead of the training and in ``workers`` threads, and memory holds the names alone.

    Args:
        path: the folder, searched with its sub-folders, linked ones too.
        size: side of the images in pixels; the centre square is resized by LANCZOS.
        color: RGB, or grey.
        crop: side of the centre square that is kept, in pixels; 0 keeps the largest.
        pattern: only files whose name, with its folders, matches: ``daisy/*.jpg``.
        skip: leave out that many images at the beginning.
        limit: take at most that many after those; 0 takes all.
        mirror: add every image's mirror image as an example of its own.
        pixel_range: ``fixed`` maps 0..255 to [-1, 1]; ``image`` stretches each image by itself.
        cache: MiB of decoded images that may stay in memory; a larger set is streamed.
        on_bad: an image that cannot be read stops the run (``error``), or is left out and named
            (``skip``, which decodes every image once at the start to know).
        max_pixels: an image that claims more is bad, and is not decoded.
        labels: the first sub-folder of each image is its class: ``daisy/1.jpg`` is a daisy.
        crops: n squares along each side of the centre square, a 46th of its side apart, make n² examples of
            each image: the more, the calmer an energy of few images.

    Raises:
        DataError: no such folder, no image in it, an unreadable image, or with labels one in no sub-folder.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1), Exists()],
        size: Side = 64,
        color: bool = True,
        crop: Count = 0,
        pattern: str = "*",
        skip: Count = 0,
        limit: Count = 0,
        mirror: bool = False,
        pixel_range: PixelRange = "fixed",
        cache: Count = 1024,
        on_bad: OnBad = "error",
        max_pixels: Annotated[int, Ge(1), Le(MOST_PIXELS)] = MOST_PIXELS,
        labels: bool = False,
        crops: Crops = 1,
    ) -> None:
        place = Directory(path, Choice(pattern, skip, limit))
        form = Form(size, color, crop, max_pixels, stretch=pixel_range == "image", crops=crops)
        super().__init__(
            place,
            form,
            mirror=mirror,
            pixel_range=pixel_range,
            cache=cache,
            on_bad=on_bad,
            labels=labels,
        )

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check sources/folder`` reads without a path: six small images."""
        from ebmkit.testing import SourceClaims

        return SourceClaims(settings={"size": 16}, files=write_folder)


@final
class Zip(_Files):
    """Every image in a zip archive, in the order of the names; nothing is unpacked to disk.

    What counts as an image, and what is left out, is the same as in a folder; links are left out too. A set
    that fits into ``cache`` is decoded at the start; a larger one is streamed.

    Args:
        path: the archive.
        size: side of the images in pixels; the centre square is resized by LANCZOS.
        color: RGB, or grey.
        crop: side of the centre square that is kept, in pixels; 0 keeps the largest.
        pattern: only files whose name, with its folders, matches: ``daisy/*.jpg``.
        skip: leave out that many images at the beginning.
        limit: take at most that many after those; 0 takes all.
        mirror: add every image's mirror image as an example of its own.
        pixel_range: ``fixed`` maps 0..255 to [-1, 1]; ``image`` stretches each image by itself.
        cache: MiB of decoded images that may stay in memory; a larger set is streamed.
        on_bad: an image that cannot be read stops the run (``error``), or is left out and named
            (``skip``, which decodes every image once at the start to know).
        max_pixels: an image that claims more is bad, and is not decoded.
        labels: the first sub-folder of each image is its class: ``daisy/1.jpg`` is a daisy.
        crops: n squares along each side of the centre square, a 46th of its side apart, make n² examples of
            each image: the more, the calmer an energy of few images.

    Raises:
        DataError: no such archive, no image in it, an unreadable image, or with labels one in no sub-folder.
    """

    def __init__(
        self,
        *,
        path: Annotated[str, MinLen(1), Exists()],
        size: Side = 64,
        color: bool = True,
        crop: Count = 0,
        pattern: str = "*",
        skip: Count = 0,
        limit: Count = 0,
        mirror: bool = False,
        pixel_range: PixelRange = "fixed",
        cache: Count = 1024,
        on_bad: OnBad = "error",
        max_pixels: Annotated[int, Ge(1), Le(MOST_PIXELS)] = MOST_PIXELS,
        labels: bool = False,
        crops: Crops = 1,
    ) -> None:
        place = Archive(path, Choice(pattern, skip, limit))
        form = Form(size, color, crop, max_pixels, stretch=pixel_range == "image", crops=crops)
        super().__init__(
            place,
            form,
            mirror=mirror,
            pixel_range=pixel_range,
            cache=cache,
            on_bad=on_bad,
            labels=labels,
        )

    @staticmethod
    def conformance() -> SourceClaims:
        """What ``ebmkit plugins check sources/zip`` reads without a path: six small images."""
        from ebmkit.testing import SourceClaims

        return SourceClaims(settings={"size": 16}, files=write_archive)
