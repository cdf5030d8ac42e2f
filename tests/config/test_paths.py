from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
