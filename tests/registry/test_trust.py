"""Which code is known as the user's own: what is written down, what is believed, and for how long."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ebmkit.registry.trust import (
    changes_allowed,
    is_known,
    is_trusting,
    known_file,
    may_change,
    remember,
    trusting,
)
from tests.conftest import Ebmkit
from tests.registry.test_own import _home, file, train  # noqa: F401 - fixtures


def test_a_list_of_known_code_that_others_may_write_says_nothing(
    ebmkit: Ebmkit,
    file: Path,  # noqa: F811
) -> None:
    train(ebmkit, file)
    known = known_file()
    assert known is not None
    assert known.stat().st_mode & 0o777 == 0o600
    known.chmod(0o666)
    assert ebmkit("sample", "it").code == 2


def test_it_works_without_a_home(
    ebmkit: Ebmkit,
    file: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # whoever runs this may have code of their own

    def nowhere() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", nowhere)
    train(ebmkit, file)
    assert ebmkit("sample", "it").code == 2
    assert ebmkit("--trust-code", "sample", "it").code == 0
    assert not (tmp_path / "home").exists()


CODE = hashlib.sha256(b"class Mine: ...").hexdigest()
OTHER = hashlib.sha256(b"class Yours: ...").hexdigest()


def known() -> Path:
    found = known_file()
    assert found is not None
    return found


def test_what_was_remembered_is_known_and_nothing_else() -> None:
    assert not is_known(CODE)
    remember(CODE, "/home/me/my parts.py")
    assert (is_known(CODE), is_known(OTHER), is_known(CODE[:-1]), is_known("")) == (True, False, False, False)


def test_code_may_be_known_at_one_place_alone() -> None:
    """An origin is whatever the user calls a file, quotes and all."""
    origin = '/home/me/"ä"\n.py'
    remember(CODE, origin)
    assert is_known(CODE, origin)
    assert not is_known(CODE, "/home/me/other.py")


def test_code_is_written_down_once_for_the_user_alone() -> None:
    for _ in range(2):
        remember(CODE, "a.py")
    remember(OTHER, "b.py")
    assert known().read_text() == f'{CODE} "a.py"\n{OTHER} "b.py"\n'
    assert known().stat().st_mode & 0o777 == 0o600
    assert known().parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("line", ["", "{}", "{} {", "{} []", " {}", "{}x"])
def test_a_line_that_nobody_wrote_so_makes_no_place_known(line: str) -> None:
    known().parent.mkdir(parents=True)
    known().touch(0o600)
    known().write_text(line.replace("{}", CODE) + "\n")
    assert not is_known(CODE, "a.py")


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "somebody's file"
    target.write_text("theirs")
    known().parent.mkdir(parents=True)
    known().symlink_to(target)
    remember(CODE, "a.py")
    assert target.read_text() == "theirs"
    assert not is_known(CODE)


def test_where_it_cannot_be_written_down_it_is_asked_for_again() -> None:
    known().parent.parent.mkdir(parents=True, exist_ok=True)
    known().parent.write_text("a file where the folder should be")
    remember(CODE, "a.py")
    assert not is_known(CODE)


def test_a_relative_place_for_settings_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the folder that a stranger's run is opened in, for example."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("here", "", "./.config"):
        monkeypatch.setenv("XDG_CONFIG_HOME", folder)
        assert known_file() == tmp_path / ".config/ebmkit/code"


def test_trust_lasts_for_its_block_and_no_block_inside_takes_it_back() -> None:
    assert not is_trusting()
    with trusting():
        with trusting(False):
            assert is_trusting()
        assert is_trusting()
    with trusting(False):
        assert not is_trusting()
    with pytest.raises(RuntimeError, match="lost"), trusting():
        raise RuntimeError("lost")
    assert not is_trusting()


def test_each_block_says_for_itself_whether_code_may_change() -> None:
    with changes_allowed():
        assert may_change()
        with changes_allowed(False):
            assert not may_change()
        assert may_change()
    assert not may_change()
