"""A compiled library is opened only if it is unchanged, and compiled anew where it cannot be kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit_fastconv.maps.library import Library
from tests.processes import ONE_THREAD

COMPILER = shutil.which("cc") or ""
pytestmark = pytest.mark.skipif(not COMPILER, reason="there is no C compiler")

NOBODY = ["unshare", "--user", "--map-user=12345", "--map-group=12345"]
"""A user without a passwd entry, as in a container that is started with any number."""


ANSWER = """
import sys
from ebmkit_fastconv.maps.library import Library
library, kept = Library(sys.argv[1], "int answer(void) { return 42; }", sys.argv[2], ("-fPIC",)).opened()
print(library.answer(), kept)
"""


def answer(name: str, root: Path) -> str:
    """What the library says in a process of its own, and where it is kept."""
    environment = {**ONE_THREAD, "XDG_CACHE_HOME": str(root)}
    words = [sys.executable, "-c", ANSWER, name, COMPILER]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout.rstrip()


def test_what_one_process_compiled_another_opens(tmp_path: Path) -> None:
    assert answer("kept", tmp_path) == f"42 kept in {tmp_path}/ebmkit"
    (file,) = (tmp_path / "ebmkit").iterdir()
    before = file.stat()
    assert before.st_mode & 0o077 == 0
    assert answer("kept", tmp_path) == f"42 kept in {tmp_path}/ebmkit"
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def cut_short(file: Path) -> None:
    os.truncate(file, 3000)


def changed(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def a_link(file: Path) -> None:
    elsewhere = file.with_name("elsewhere")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def open_to_all(file: Path) -> None:
    file.chmod(0o777)


@pytest.mark.parametrize("spoil", [cut_short, changed, a_pipe, a_link, open_to_all])
def test_what_is_no_longer_as_it_was_compiled_is_compiled_again(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    expected = f"42 kept in {tmp_path}/ebmkit"
    assert answer("spoilt", tmp_path) == expected
    (file,) = (tmp_path / "ebmkit").iterdir()
    whole = file.read_bytes()
    spoil(file)
    assert answer("spoilt", tmp_path) == expected
    assert file.is_file()
    assert not file.is_symlink()
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (whole, 0o700)


def test_where_nothing_can_be_kept_every_process_compiles_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shared = tmp_path / "shared/ebmkit"
    shared.mkdir(parents=True)
    shared.chmod(0o777)
    reasons = {
        tmp_path / "file": f"{tmp_path}/file/ebmkit: Not a directory",
        Path("/proc"): "/proc/ebmkit: No such file or directory",
        shared.parent: f"{shared} is another user's or can be written by others",
    }
    for root, reason in reasons.items():
        assert answer("homeless", root) == f"42 anew in every process: {reason}"


def test_a_compiler_that_fails_is_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(subprocess.CalledProcessError):
        Library("broken", "int answer(void) {", COMPILER, ("-fPIC",)).opened()
    assert list((tmp_path / "ebmkit").iterdir()) == []


def test_a_user_without_a_home_trains_and_doctor_says_what_that_costs(tmp_path: Path) -> None:
    if subprocess.run([*NOBODY, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system gives no user namespaces")
    homeless = {name: value for name, value in ONE_THREAD.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    words = [*NOBODY, sys.executable, "-m", "ebmkit", "doctor"]
    done = subprocess.run(words, cwd=tmp_path, env=homeless, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "anew in every process: this user has no home folder; XDG_CACHE_HOME can name a cache" in done.stdout
    )
