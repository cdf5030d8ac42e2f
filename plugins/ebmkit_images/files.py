"""Images of the user's own, in a folder or a zip archive."""

from __future__ import annotations

import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, final

from ebmkit.core import Ge
from ebmkit.errors import DataError
from ebmkit_images.decode import Pixels, decode, is_image_name
from ebmkit_images.memory import ImageSource, PixelRange

__all__ = ["Folder", "Zip"]

Count = Annotated[int, Ge(0)]


@final
class Folder(ImageSource):
    """Every image file under a folder, in the order of the names.

    Files whose suffix Pillow does not know are no part of the data; a file that has an image's
    suffix and is none stops the run with its path.

    Args:
        path: the folder, searched with its sub-folders.
        size: side of the images in pixels; the centre square is resized by LANCZOS.
        color: RGB, or grey.
        crop: side of the centre square that is kept, in pixels; 0 keeps the largest.
        pattern: only files whose name, with its folders, matches: ``daisy/*.jpg``.
        skip: leave out that many images at the beginning.
        limit: take at most that many after those; 0 takes all.
        mirror: add every image's mirror image as an example of its own.
        pixel_range: ``fixed`` maps 0..255 to [-1, 1]; ``image`` stretches each image by itself.

    Raises:
        DataError: no such folder, no image in it, or an unreadable image.
    """

    def __init__(
        self,
        *,
        path: str,
        size: Annotated[int, Ge(1)] = 64,
        color: bool = True,
        crop: Count = 0,
        pattern: str = "*",
        skip: Count = 0,
        limit: Count = 0,
        mirror: bool = False,
        pixel_range: PixelRange = "fixed",
    ) -> None:
        chosen = _choose(_folder_files(Path(path)), path, pattern, skip, limit)
        images = (_decode_file(Path(path) / name, size, color, crop) for name in chosen)
        super().__init__(images, mirror=mirror, pixel_range=pixel_range)


@final
class Zip(ImageSource):
    """Every image in a zip archive, in the order of the names; nothing is unpacked to disk.

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

    Raises:
        DataError: no such archive, no image in it, or an unreadable image.
    """

    def __init__(
        self,
        *,
        path: str,
        size: Annotated[int, Ge(1)] = 64,
        color: bool = True,
        crop: Count = 0,
        pattern: str = "*",
        skip: Count = 0,
        limit: Count = 0,
        mirror: bool = False,
        pixel_range: PixelRange = "fixed",
    ) -> None:
        with _open_archive(path) as archive:
            names = sorted(each.filename for each in archive.infolist() if not each.is_dir())
            chosen = _choose([name for name in names if is_image_name(name)], path, pattern, skip, limit)
            images = (_decode_member(archive, name, size, color, crop) for name in chosen)
            super().__init__(images, mirror=mirror, pixel_range=pixel_range)


def _folder_files(folder: Path) -> list[str]:
    """The image files under a folder by their names relative to it, sorted."""
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"path = {str(folder)!r} {reason}")
    files = (path for path in folder.rglob("*") if is_image_name(path.name) and path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _open_archive(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise DataError(f"path = {path!r} does not exist") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"cannot read the zip archive {path!r}: {error}") from None


def _choose(names: list[str], path: str, pattern: str, skip: int, limit: int) -> list[str]:
    matching = [name for name in names if fnmatchcase(name, pattern)]
    chosen = matching[skip : skip + limit] if limit else matching[skip:]
    if not chosen:
        found = f"{len(names)} images" if names else "no image file"
        if names and not matching:
            found += f", and none matches pattern = {pattern!r}"
        elif matching:
            found += f", and skip = {skip} leaves none"
        raise DataError(f"path = {path!r} holds {found}")
    return chosen


def _decode_file(path: Path, size: int, color: bool, crop: int) -> Pixels:
    try:
        with path.open("rb") as stream:
            return decode(stream, str(path), size=size, color=color, crop=crop)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def _decode_member(archive: zipfile.ZipFile, name: str, size: int, color: bool, crop: int) -> Pixels:
    try:
        with archive.open(name) as stream:
            return decode(stream, f"{archive.filename}:{name}", size=size, color=color, crop=crop)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"cannot read {archive.filename}:{name}: {error}") from None
