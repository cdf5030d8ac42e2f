from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_a_key_of_another_table_is_told_with_that_table(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    file.write_text("seed = 3\n" + file.read_text().replace("outputs = 3", "outputs = 3\nlr = 1e-3"))
    err = ebmkit("check", file).err
    assert "a key of [run]: move it there" in err
    assert "a key of [energy.optimizer] or [generator.optimizer]: move it there" in err
