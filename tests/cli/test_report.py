from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import Ebmkit


@pytest.mark.usefixtures("exported")
def test_without_a_name_the_run_last_written_to_gets_its_page_and_several_get_one_here(
    ebmkit: Ebmkit,
) -> None:
    shutil.copytree("runs/coopnets", "runs/older", copy_function=shutil.copy)
    for run, seconds in (("older", 1e9), ("coopnets", 2e9)):
        for file in Path("runs", run).iterdir():
            os.utime(file, (seconds, seconds))
    for run in ("older", "coopnets"):
        (Path("runs", run) / "report.html").unlink()
    assert ebmkit("report").out == "wrote runs/coopnets/report.html\n"
    assert not Path("runs/older/report.html").exists()
    assert ebmkit("report", "older", "coopnets").out == "wrote report.html\n"
    page = Path("report.html").read_text()
    assert "<h2>older</h2>" in page
    assert page.index("<h2>older</h2>") < page.index("<h2>coopnets</h2>")


@pytest.mark.usefixtures("exported")
def test_a_page_that_cannot_be_written_is_one_message(ebmkit: Ebmkit) -> None:
    Path("taken").mkdir()
    refused = ebmkit("report", "coopnets", "--output", "taken")
    assert (refused.code, refused.err) == (2, "error: cannot write taken: Is a directory\n")
