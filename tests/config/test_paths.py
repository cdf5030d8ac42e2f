from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.config.paths import beside, is_missing
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_data_beside_the_run_file_are_pointed_at(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    Path("below").mkdir()
    file = run_file("coopnets").rename("below/it.toml")
    images.rename("below/images")
    file = Path("below/it.toml")
    file.write_text(file.read_text().replace(str(images), "images"))
    outcome = ebmkit("check", file)
    assert outcome.code == 2
    assert "path = 'images' does not exist" in outcome.err
    assert "a relative path starts where the command is called; there is below/images" in outcome.err


def test_only_where_nothing_is_is_something_missing(tmp_path: Path) -> None:
    """A name that no file can have is left to those who open it, who say why they cannot."""
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    names = ["file", "none", "file/below", "dangling", "a" * 5000, "with\0nul"]
    assert [is_missing(f"{tmp_path}/{name}") for name in names] == [False, True, True, True, False, False]


def test_only_what_is_there_and_not_here_is_pointed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below/images").mkdir(parents=True)
    assert beside("below/it.toml", "images") == [
        "a relative path starts where the command is called; there is below/images"
    ]
    for path in ("pictures", tmp_path / "below/images", 3, "with\0nul"):
        assert beside("below/it.toml", path) == []
    (tmp_path / "images").mkdir()
    assert beside("below/it.toml", "images") == []
