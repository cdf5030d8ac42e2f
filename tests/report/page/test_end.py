from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_a_run_leaves_its_page_and_one_that_cannot_be_written_ends_well_all_the_same(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    assert ebmkit("run", file, "--set", "run.output=good").code == 0
    assert "<svg" in (Path("good") / "report.html").read_text()
    stopped = ebmkit("run", file, "--set", "run.output=bad", "--set", "run.iterations=1")
    assert stopped.code == 0
    (Path("bad") / "report.html").unlink()
    (Path("bad") / "report.html").mkdir()  # in the way
    again = ebmkit("resume", "bad", "--set", "run.iterations=2")
    assert again.code == 0
    assert "warning: report.html: IsADirectoryError" in again.out + again.err
