"""The C transforms: compiled once where a C compiler is found, and checked before they are used."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import final

import torch
from torch import Tensor

from ebmkit_fastconv.winograd import cook_toom

__all__ = ["Layout", "Transforms", "transforms"]

_FLAGS = ("-O3", "-march=native", "-fopenmp", "-fPIC", "-std=gnu11")


class Layout(ctypes.Structure):
    """``layout`` of the C text."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("rows", "height", "width", "channels", "down", "across", "phases", "padding")
    ]


@final
class Transforms:
    """The two functions of the compiled library."""

    def __init__(self, path: Path) -> None:
        _share_openmp()
        library = ctypes.CDLL(str(path))
        pointer, integer = ctypes.c_void_p, ctypes.c_int
        self._read, self._write = library.ebmkit_read_tiles, library.ebmkit_write_tiles
        self._read.argtypes = [integer, pointer, ctypes.POINTER(Layout), pointer]
        self._write.argtypes = [
            integer,
            pointer,
            ctypes.POINTER(Layout),
            integer,
            ctypes.c_float,
            *[pointer] * 4,
        ]
        self._read.restype = self._write.restype = None

    def read(self, size: int, image: Tensor, layout: Layout, points: Tensor) -> None:
        """Every tile of ``image`` in Winograd's space."""
        self._read(size, image.data_ptr(), layout, points.data_ptr())

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
        bias_at, other_at, values_at = (
            None if each is None else each.data_ptr() for each in (bias, other, values)
        )
        self._write(
            size, points.data_ptr(), layout, mode, slope, bias_at, other_at, values_at, image.data_ptr()
        )


def transforms() -> Transforms | None:
    """The compiled transforms; None without a compiler, or with ``EBMKIT_NATIVE=0``."""
    return None if os.environ.get("EBMKIT_NATIVE") == "0" else _compiled_transforms()


@cache
def _compiled_transforms() -> Transforms | None:
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if compiler is None:
        return None
    try:
        return Transforms(_compiled(compiler))
    except (OSError, subprocess.SubprocessError):
        return None


def _compiled(compiler: str) -> Path:
    """The library, from the cache or compiled into it; written beside and renamed, so never half there."""
    text = _constants() + resources.files("ebmkit_fastconv").joinpath("transforms.c").read_text()
    key = hashlib.sha256("\0".join([text, compiler, *_FLAGS, _processor()]).encode()).hexdigest()[:24]
    folder = _cache_folder()
    target = folder / f"transforms-{key}.so"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            source, made, linked = (Path(work) / f"transforms.{end}" for end in ("c", "o", "so"))
            source.write_text(text)
            for command in (
                [compiler, *_FLAGS, "-c", str(source), "-o", str(made)],
                # Without -fopenmp here: the functions of OpenMP are torch's, not a second copy of them.
                [compiler, "-shared", str(made), "-o", str(linked)],
            ):
                subprocess.run(command, check=True, capture_output=True, timeout=120)
            linked.replace(target)
    return target


def _constants() -> str:
    """The matrices as C text."""
    lines = []
    for taps, size in ((3, 6), (5, 8)):
        matrices = cook_toom(taps)
        for name, matrix in ((f"DATA{size}", matrices.data), (f"RESULT{size}", matrices.result)):
            rows = ", ".join("{" + ", ".join(f"{value:.9e}f" for value in row) + "}" for row in matrix)
            lines.append(f"static const float {name}[{matrix.shape[0]}][{matrix.shape[1]}] = {{{rows}}};\n")
    return "".join(lines)


def _processor() -> str:
    """What ``-march=native`` depends on: a cache that several machines share keeps one file for each kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("flags")), platform.processor())


def _cache_folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(root) / "ebmkit"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise OSError(f"{folder} can be written by others")
    return folder


def _share_openmp() -> None:
    """Make torch's own OpenMP the one that the library finds: two in one process fight for the cores."""
    root = Path(torch.__file__).parent
    for path in [*root.glob("lib/libgomp*"), *root.parent.glob("torch.libs/libgomp*")]:
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
