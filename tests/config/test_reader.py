from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_every_misspelt_key_is_found_at_its_line_with_the_right_suggestion(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    text = file.read_text()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        key, equals, _ = line.partition(" = ")
        if not equals or key in ("use", "optimizer"):
            continue
        wrong = key[:-1] + ("x" if key[-1] != "x" else "y")
        file.write_text("\n".join([*lines[:number], line.replace(key, wrong, 1), *lines[number + 1 :]]))
        err = ebmkit("check", file).err
        assert f"unknown key {wrong!r}" in err
        assert f"--> {file}:{number + 1}:1" in err
        assert f"did you mean {key!r}?" in err
