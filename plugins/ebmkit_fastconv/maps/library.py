"""C compiled into a library: kept for other processes where that is safe, opened only if it is unchanged."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, final

__all__ = ["Library", "Opened"]

_FOLDER = "ebmkit"
_WRITABLE_BY_OTHERS = 0o022
_SECONDS = 120


class Opened(NamedTuple):
    """A library in this process, and where it is kept: ``kept in FOLDER``, or why it is not."""

    library: ctypes.CDLL
    kept: str


@final
class Library(NamedTuple):
    """C, and how it is compiled.

    Attributes:
        name: of the file.
        text: the C.
        compiler: the program.
        flags: of compiling; linking has none.
    """

    name: str
    text: str
    compiler: str
    flags: Sequence[str]

    def opened(self) -> Opened:
        """Open what an earlier process kept, or compile it.

        The file's name holds the SHA-256 of its bytes: one that a full disk cut short, or that somebody
        changed, is never mapped, where it would end the process. Without a folder to keep it in, every
        process compiles its own.

        Raises:
            OSError: it cannot be written, read or mapped anywhere.
            subprocess.SubprocessError: the compiler fails.
        """
        try:
            folder = _cache_folder()
            path = self._kept(folder) or self._compiled(folder)
            return Opened(ctypes.CDLL(str(path)), f"kept in {folder}")
        # A folder may be full, which the compiler tells, or on a file system that maps no programs.
        except (OSError, subprocess.CalledProcessError) as error:
            reason = _reason(error)
            with tempfile.TemporaryDirectory(prefix="ebmkit-") as elsewhere:
                # Mapped, it stays in this process when its name is gone.
                library = ctypes.CDLL(str(self._compiled(Path(elsewhere))))
            return Opened(library, f"anew in every process: {reason}")

    @property
    def _begins(self) -> str:
        """How the names of its files begin: other C, flags or processors are other files."""
        key = "\0".join([self.text, self.compiler, *self.flags, _processor()])
        return f"{self.name}-{hashlib.sha256(key.encode()).hexdigest()[:24]}-"

    def _kept(self, folder: Path) -> Path | None:
        """The unchanged file in a folder; what is changed is removed."""
        for path in folder.glob(f"{self._begins}*.so"):
            status = path.lstat()
            if (
                stat.S_ISREG(status.st_mode)
                and _is_ours(status)
                and path.name == f"{self._begins}{_digest(path)}.so"
            ):
                return path
            with suppress(OSError):
                path.unlink()
        return None

    def _compiled(self, folder: Path) -> Path:
        """The library, compiled beside its place and renamed, so that it is never half there."""
        with tempfile.TemporaryDirectory(dir=folder) as work:
            source, made, linked = (Path(work) / f"{self.name}.{end}" for end in ("c", "o", "so"))
            source.write_text(self.text, encoding="utf-8")
            for command in (
                [self.compiler, *self.flags, "-c", str(source), "-o", str(made)],
                # Without -fopenmp here: the functions of OpenMP are torch's, not a second copy of them.
                [self.compiler, "-shared", str(made), "-o", str(linked)],
            ):
                # Its own temporary files beside it, too: /tmp may be full or not ours.
                environment = {**os.environ, "TMPDIR": work}
                subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS, env=environment)
            linked.chmod(0o700)
            return linked.replace(folder / f"{self._begins}{_digest(linked)}.so")


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return next(iter(error.stderr.decode(errors="replace").splitlines()), str(error))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_ours(status: os.stat_result) -> bool:
    """Whether a file or folder is this user's and nobody else can write it."""
    return status.st_uid == os.getuid() and not status.st_mode & _WRITABLE_BY_OTHERS


def _cache_folder() -> Path:
    """The folder of this user for what can be made again.

    Raises:
        OSError: there is none, it cannot be made, or others can write it.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not root.is_absolute():  # such a one is to be ignored, the XDG specification says
        with suppress(RuntimeError):
            root = Path.home() / ".cache"
    if not root.is_absolute():
        raise OSError("this user has no home folder; XDG_CACHE_HOME can name a cache")
    folder = root / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_ours(folder.stat()):
        raise OSError(f"{folder} is another user's or can be written by others")
    return folder


def _processor() -> str:
    """What ``-march=native`` depends on: a cache that several machines share keeps one file for each kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("flags")), platform.processor())
