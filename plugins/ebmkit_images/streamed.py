"""Image files decoded as they are asked for, or once and for all where they fit into memory."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Container
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import final

import attrs
import numpy as np
from numpy.typing import NDArray

from ebmkit.errors import DataError
from ebmkit.pictures import printable
from ebmkit_images.decode import Form, Pixels, decode
from ebmkit_images.places import Place
from ebmkit_images.source import PixelStore

__all__ = ["DecodedFiles", "identity", "in_memory_or_streamed", "leave_out_bad"]

_SAMPLE = 1024
_MIB = 2**20
_BYTES_A_PIXEL = 8  # four channels of 16 bits


class _TooLittleMemoryError(DataError):
    """No fault of any file."""


@final
@attrs.frozen
class DecodedFiles:
    """A store that decodes files when their images are asked for; squares of one file follow each other."""

    place: Place
    form: Form

    @property
    def shape(self) -> tuple[int, ...]:
        """``(N, C, H, W)``, known without opening a file."""
        count = len(self.place.names) * self.form.crops**2
        return (count, 3 if self.form.color else 1, self.form.size, self.form.size)

    def __getitem__(self, index: NDArray[np.int64]) -> Pixels:
        """Decode the images at these positions, ``(n,) -> (n, C, H, W)``.

        Raises:
            DataError: a file is unreadable or no image, which it names; or memory does not suffice.
        """
        pixels = np.empty((len(index), *self.shape[1:]), dtype=np.uint8)
        of_image = self.form.crops**2
        rows = enumerate(index.tolist())
        for position, squares in groupby(rows, key=lambda each: each[1] // of_image):
            decoded = self._decode(position)
            for row, at in squares:
                pixels[row] = decoded[at % of_image]
        return pixels

    def problem(self, position: int) -> str:
        """Why the file at a position cannot be decoded; empty where it can.

        Raises:
            DataError: memory does not suffice, which is no fault of the file.
        """
        try:
            self._decode(position)
        except _TooLittleMemoryError:
            raise
        except DataError as error:
            return str(error)
        return ""

    def _decode(self, position: int) -> Pixels:
        label = printable(self.place.label(position))
        if (size := self.place.size(position)) > _BYTES_A_PIXEL * self.form.max_pixels + _MIB:
            raise DataError(f"{label} has {size} bytes, more than an image of max_pixels can need")
        try:
            with self.place.open(position) as stream:
                return decode(stream, label, self.form)
        except MemoryError:
            raise _TooLittleMemoryError(f"memory does not suffice to decode {label}") from None
        except OSError as error:
            raise DataError(f"cannot read {label}: {error.strerror}") from None
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise DataError(f"cannot read {label}: {error}") from None


def _room(shape: tuple[int, ...]) -> Pixels:
    """An array to decode into."""
    try:
        return np.empty(shape, dtype=np.uint8)
    except MemoryError:
        images = f"{shape[0]} images of {'x'.join(map(str, shape[1:]))}"
        raise _TooLittleMemoryError(f"memory does not suffice for {images}") from None


def leave_out_bad(files: DecodedFiles) -> list[str]:
    """Decode every file once and take those out of the place that cannot be; why, one message each.

    Raises:
        DataError: none is left.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        problems = list(threads.map(files.problem, range(len(files.place.names))))
    good = [position for position, problem in enumerate(problems) if not problem]
    bad = [problem for problem in problems if problem]
    if not good:
        raise DataError(f"none of {len(bad)} images can be read; the first: {bad[0]}")
    if bad:
        files.place.keep(good)
    return bad


def in_memory_or_streamed(files: DecodedFiles, *, cache: int) -> PixelStore:
    """All images decoded at once, in threads, where they fit into ``cache`` MiB; else ``files`` itself.

    Raises:
        DataError: a file is unreadable or no image; of several, the first by name.
    """
    if int(np.prod(files.shape)) > cache * _MIB:
        return files
    pixels = _room(files.shape)
    parts = np.array_split(np.arange(len(pixels)), -(-len(pixels) // 64))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for part, images in zip(parts, threads.map(files.__getitem__, parts), strict=True):
            pixels[part] = images
    return pixels


def identity(place: Place, *details: object) -> str:
    """SHA-256 that tells one set of files from another without decoding any.

    It covers the name, the size and the CRC-32 of every file; in a folder of more than 1024 files the
    CRC-32 of 1024, spread evenly, because it has to be read. Times do not count, so a copy is the
    same data, and so is a small folder packed as a zip.

    Args:
        place: the files.
        details: what is made of them.
    """
    digest = hashlib.sha256(repr(details).encode())
    count = len(place.names)
    sampled: Container[int] = range(count)
    if count > _SAMPLE and not place.indexed:
        sampled = {at * count // _SAMPLE for at in range(_SAMPLE)}
    for position, name in enumerate(place.names):
        checksum = place.checksum(position) if position in sampled else None
        digest.update(repr((name, place.size(position), checksum)).encode())
    return digest.hexdigest()
