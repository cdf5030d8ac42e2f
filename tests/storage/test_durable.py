"""Files are there whole or not at all, and nothing strange in their place is waited for."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ebmkit.storage.durable import is_alive, make_folder, read_regular, replace_file, sync, write_synced

LIMIT = 5000


@contextmanager
def small_files(limit: int = LIMIT) -> Iterator[None]:
    """No file may grow beyond so many bytes: the kernel writes a part, and refuses the rest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_new_file_takes_no_other_ones_place(tmp_path: Path) -> None:
    write_synced(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        write_synced(tmp_path / "a", b"second")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        write_synced(tmp_path / "link", b"through a link")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert not (tmp_path / "nowhere").exists()


def test_a_replaced_file_has_the_new_contents_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    for data in (b"one", b"", b"two"):
        replace_file(tmp_path / "a", data)
        assert (tmp_path / "a").read_bytes() == data
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_where_the_new_contents_do_not_fit_the_old_ones_stay(tmp_path: Path) -> None:
    replace_file(tmp_path / "a", b"old" * 1000)
    with small_files(), pytest.raises(OSError, match="large"):
        replace_file(tmp_path / "a", b"new" * LIMIT)
    assert (tmp_path / "a").read_bytes() == b"old" * 1000
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_process_of_this_number_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f".a-{os.getpid()}").write_bytes(b"half of")
    replace_file(tmp_path / "a", b"whole")
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_link_is_replaced_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "a").symlink_to(tmp_path / "theirs")
    replace_file(tmp_path / "a", b"mine")
    assert (tmp_path / "theirs").read_bytes() == b"theirs"
    assert not (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("mask", [0o002, 0o077])
def test_the_mode_of_a_replaced_file_follows_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        replace_file(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_reader_sees_the_old_or_the_new_contents_whole(tmp_path: Path) -> None:
    """While another process never rests from replacing it."""
    path = tmp_path / "a"
    replace_file(path, b"0" * 4096)
    code = (
        "import sys, pathlib; from ebmkit.storage.durable import replace_file\n"
        "for k in range(10_000): replace_file(pathlib.Path(sys.argv[1]), str(k % 10).encode() * 4096)"
    )
    seen: set[bytes] = set()
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as writer:
        try:
            deadline = time.monotonic() + 60
            while len(seen) < 10 and time.monotonic() < deadline:
                seen.add(path.read_bytes())
        finally:
            writer.kill()
    assert seen == {str(digit).encode() * 4096 for digit in range(10)}


def test_a_folder_is_made_with_those_above_it_unless_a_file_is_in_the_way(tmp_path: Path) -> None:
    make_folder(tmp_path / "a/b/c")
    make_folder(tmp_path / "a/b/c")
    assert (tmp_path / "a/b/c").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")
    with pytest.raises(OSError):  # noqa: PT011 - what it is called is the system's
        make_folder(tmp_path / "file/below")


def test_files_and_folders_can_be_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    sync(tmp_path / "a")
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "b")


def test_a_file_of_as_many_bytes_as_allowed_is_read_and_one_more_is_too_many(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("a")
    for name in ("a", "link"):
        assert read_regular(tmp_path / name, at_most=5) == b"12345"
    assert read_regular(tmp_path / "a", at_most=10**30) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes") as refused:
        read_regular(tmp_path / "a", at_most=4)
    assert refused.value.errno == errno.EFBIG


@pytest.mark.parametrize("strange", ["pipe", "device", "folder"])
def test_what_is_no_file_is_refused_at_once(strange: str, tmp_path: Path) -> None:
    """Opening a pipe that nobody writes into would wait for ever."""
    path = {"pipe": tmp_path / "pipe", "device": Path("/dev/zero"), "folder": tmp_path}[strange]
    if strange == "pipe":
        os.mkfifo(path)
    with pytest.raises(OSError, match=r"not a regular file|Is a directory: '.*'$"):
        read_regular(path, at_most=100)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs a system that lists open files")
@pytest.mark.parametrize("strange", ["folder", "device", "file"])
def test_nothing_is_left_open_whatever_stands_there(strange: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    path = {"file": tmp_path / "file", "device": Path("/dev/zero"), "folder": tmp_path}[strange]
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(5):
        with suppress(OSError):
            read_regular(path, at_most=5)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_other_processes_are_alive_until_they_end_and_what_is_no_number_never_was() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert is_alive(str(other.pid))
        other.communicate()
    assert not is_alive(str(other.pid))
    assert is_alive(str(os.getppid()))
    assert is_alive("1")  # of another user, most often
    for number in (str(os.getpid()), "", "-1", "x", "1.0", "9" * 40):
        assert not is_alive(number)
