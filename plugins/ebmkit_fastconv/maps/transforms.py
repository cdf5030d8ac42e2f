"""The C transforms: compiled once where a C compiler is found, and checked before they are used."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import NamedTuple, final

import torch
from torch import Tensor

from ebmkit_fastconv.maps.library import Library
from ebmkit_fastconv.maps.winograd import OUT, cook_toom

__all__ = ["Fold", "Layout", "Transforms", "status", "transforms"]

_FLAGS = ("-O3", "-march=native", "-fopenmp", "-fPIC", "-std=gnu11")


class Layout(ctypes.Structure):
    """``layout`` of the C text."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("rows", "height", "width", "channels", "down", "across", "phases", "padding")
    ]


class Fold(ctypes.Structure):
    """``fold`` of the C text."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            "rows",
            "height",
            "width",
            "channels",
            "down",
            "across",
            "kernel",
            "stride",
            "padding",
        )
    ]


@final
class Transforms:
    """The functions of the compiled library."""

    def __init__(self, library: ctypes.CDLL) -> None:
        pointer, integer = ctypes.c_void_p, ctypes.c_int
        self._read, self._write = library.ebmkit_read_tiles, library.ebmkit_write_tiles
        self._spread = library.ebmkit_spread_tiles
        self._read.argtypes = self._spread.argtypes = [integer, pointer, ctypes.POINTER(Layout), pointer]
        self._write.argtypes = [
            integer,
            pointer,
            ctypes.POINTER(Layout),
            integer,
            ctypes.c_float,
            *[pointer] * 4,
        ]
        self._fold = library.ebmkit_fold
        self._fold.argtypes = [pointer, ctypes.POINTER(Fold), pointer]
        for function in (self._read, self._spread, self._write, self._fold):
            function.restype = None

    def read(self, size: int, image: Tensor, layout: Layout, points: Tensor) -> None:
        """Every tile of ``image`` in Winograd's space."""
        self._read(size, _at(image), layout, _at(points))

    def spread(self, size: int, results: Tensor, layout: Layout, points: Tensor) -> None:
        """The transpose of ``write``: what every point of a tile gets from the tile's results."""
        self._spread(size, _at(results), layout, _at(points))

    def write(
        self,
        size: int,
        points: Tensor,
        layout: Layout,
        image: Tensor,
        *,
        mode: int,
        slope: float = 1.0,
        bias: Tensor | None = None,
        other: Tensor | None = None,
        values: Tensor | None = None,
    ) -> None:
        """Products back to an image, in one of the modes of the C text."""
        given = (None if each is None else _at(each) for each in (bias, other))
        sums = None if values is None else _at(values, torch.float64)
        self._write(size, _at(points), layout, mode, slope, *given, sums, _at(image))

    def fold(self, sent: Tensor, at: Fold, image: Tensor) -> None:
        """What each feature sends to the pixels of its kernel, summed into the image."""
        self._fold(_at(sent), at, _at(image))


def _at(tensor: Tensor, dtype: torch.dtype = torch.float32) -> int:
    """Where the numbers of a tensor are, for code that reads them one after the other.

    Raises:
        ValueError: they are not there one after the other.
    """
    if not tensor.is_contiguous() or tensor.dtype != dtype or tensor.device.type != "cpu":
        raise ValueError(f"native code cannot read a {tensor.dtype} tensor with strides {tensor.stride()}")
    return tensor.data_ptr()


def transforms() -> Transforms | None:
    """The compiled transforms; None without a compiler, or with ``EBMKIT_NATIVE=0``."""
    return _attempt().transforms


def status() -> str:
    """Whether the transforms are compiled, or why torch's own do the same more slowly; compiles them."""
    attempt = _attempt()
    return f"{'not compiled:' if attempt.transforms is None else 'compiled by'} {attempt.how}"


class _Attempt(NamedTuple):
    """The transforms and what compiled them, or None and why not."""

    transforms: Transforms | None
    how: str


def _attempt() -> _Attempt:
    off = os.environ.get("EBMKIT_NATIVE") == "0"
    return _Attempt(None, "EBMKIT_NATIVE=0") if off else _compile_once()


@cache
def _compile_once() -> _Attempt:
    if platform.machine() not in ("x86_64", "AMD64"):
        return _Attempt(None, f"they are for x86-64, this is {platform.machine()}")
    wanted = os.environ.get("CC", "cc")
    compiler = shutil.which(wanted) or shutil.which("gcc")
    if compiler is None:
        return _Attempt(None, f"no C compiler ({wanted} or gcc)")
    try:
        _share_openmp()
        library, kept = _library(compiler).opened()
        made = Transforms(library)
        if not _is_right(made):
            return _Attempt(None, f"what {compiler} made of them computes something else")
        return _Attempt(made, f"{compiler}, {kept}")
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        return _Attempt(None, f"{compiler} failed: {said[0] if said else error}")
    except Exception as error:  # noqa: BLE001 - slower is better than not at all, whatever goes wrong
        return _Attempt(None, str(error) or type(error).__name__)


def _is_right(made: Transforms) -> bool:
    """Whether each function does to one tile what its matrix says."""
    write = partial(made.write, mode=0)
    for taps in (2, 3, 5):
        matrices, size, channels = cook_toom(taps), OUT + taps - 1, 16
        for run, matrix in (
            (made.read, matrices.data),
            (made.spread, matrices.result.T),
            (write, matrices.result),
        ):
            after, before = matrix.shape
            given = (
                torch.linspace(-1, 1, before**2 * channels, device="cpu")
                .square()
                .view(before, before, channels)
            )
            found = torch.full((after, after, channels), torch.nan, device="cpu")
            side = min(after, before)  # of the image among the two
            run(size, given, Layout(1, side, side, channels, 1, 1, 1, 0), found)
            by = torch.from_numpy(matrix.copy()).float()
            if not torch.allclose(found, torch.einsum("ij,jkc,lk->ilc", by, given, by), atol=1e-4):
                return False
    return True


def _library(compiler: str) -> Library:
    text = resources.files("ebmkit_fastconv.maps").joinpath("transforms.c").read_text(encoding="utf-8")
    return Library("transforms", _constants() + text, compiler, _FLAGS)


def _constants() -> str:
    """The matrices as C text."""
    lines = []
    for taps, size in ((2, 5), (3, 6), (5, 8)):
        matrices = cook_toom(taps)
        named = {"DATA": matrices.data, "RESULT": matrices.result, "SPREAD": matrices.result.T}
        for name, matrix in named.items():
            rows = ", ".join("{" + ", ".join(f"{value:.9e}f" for value in row) + "}" for row in matrix)
            lines.append(
                f"static const float {name}{size}[{matrix.shape[0]}][{matrix.shape[1]}] = {{{rows}}};\n"
            )
    return "".join(lines)


def _share_openmp() -> None:
    """Make torch's own OpenMP the one that the library finds: two in one process fight for the cores."""
    root = Path(torch.__file__).parent
    for path in [*root.glob("lib/libgomp*"), *root.parent.glob("torch.libs/libgomp*")]:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
