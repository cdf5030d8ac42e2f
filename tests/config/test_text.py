"""Text files as different editors write them."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.config import read_document
from ebmkit.config.text import decoded
from ebmkit.errors import ConfigError
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_a_byte_order_mark_changes_nothing_but_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    text = '[run]\nseed = 3\n[data]\nuse = "folder"  # δ\n'
    path.write_bytes(text.encode())
    plain = read_document(path)
    path.write_bytes(codecs.BOM_UTF8 + text.encode())
    assert read_document(path) == plain


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-16", "UTF-16, which Windows calls Unicode"),
        ("utf-16-le", "UTF-16 without a mark"),
        ("utf-16-be", "UTF-16 without a mark"),
        ("utf-32", "UTF-32"),
        ("utf-32-be", "UTF-32"),
    ],
)
def test_another_encoding_is_told_by_name(encoding: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes("[run]\nseed = 3\n".encode(encoding))
    with pytest.raises(ConfigError) as caught:
        read_document(path)
    assert str(caught.value) == f"{path} is text in {name}: save it as UTF-8"


def test_a_byte_that_is_no_utf8_has_its_line() -> None:
    with pytest.raises(ValueError, match="no text in UTF-8: line 2 holds the byte 0xe9"):
        decoded('a = 1\nb = "café"\n'.encode("latin-1"))


def test_a_run_with_a_mark_trains_goes_on_and_is_completed(
    run_file: RunFile, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = run_file("descriptor-only")
    file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    assert ebmkit("run", file, "--set", "run.iterations=1").code == 0
    config = Path("runs/descriptor-only/config.toml")
    config.write_bytes(codecs.BOM_UTF8 + config.read_bytes())  # somebody looked at it with an editor
    assert ebmkit("status").out.startswith("descriptor-only: finished")
    assert ebmkit("resume", "--set", "run.iterations=2").code == 0
    from ebmkit.cli.tab import overrides

    class Context:
        def __init__(self) -> None:
            self.params = {"file": str(file)}

    assert "revision.step_size=" in overrides(Context(), "revision.")  # type: ignore[arg-type]
