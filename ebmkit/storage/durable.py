"""Files that survive a kill and a power cut: written beside their place, synced, renamed, synced."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["is_alive", "make_folder", "read_regular", "replace_file", "sync", "write_synced"]


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until it is on the disk; its mode follows the umask.

    Raises:
        FileExistsError: there is one already.
        OSError: the disk is full or failing; what was written of it may be there.
    """
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Give a file new contents: whoever looks, whenever, finds the old ones or the new ones, whole."""
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        write_synced(temporary, data)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk: a rename is durable only then."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, durably: a synced file in a folder without a name is lost."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def read_regular(path: Path, *, at_most: int) -> bytes:
    """The contents of a file of at most so many bytes, however large or strange what stands there is.

    Raises:
        OSError: missing, unreadable, larger, or no regular file: a pipe would block, a device never end.
    """
    with open(path, "rb", opener=_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if status.st_size > at_most:
            raise OSError(errno.EFBIG, f"larger than {at_most} bytes")
        return file.read(status.st_size)  # not at_most, which may be any number


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for whoever writes into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def is_alive(pid: str) -> bool:
    """Whether another process of this number is running here."""
    if not pid.isdecimal() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
