from __future__ import annotations

from pathlib import Path

import pytest

from ebmkit.storage.folder import RunFolder
from tests.conftest import Ebmkit


@pytest.mark.usefixtures("exported")
def test_it_names_each_file_that_it_wrote_and_the_command_that_opens_the_folder(ebmkit: Ebmkit) -> None:
    done = ebmkit("export", "coopnets", "handed-on", "--samples", 2)
    assert done.code == 0
    *paths, last, _ = done.out.splitlines()
    assert paths == sorted(map(str, Path("handed-on").iterdir()))
    assert last == "exported iteration 6; open it with: ebmkit sample handed-on"
    assert ebmkit(*last.partition("ebmkit ")[2].split(), "--count", 1).code == 0


@pytest.mark.usefixtures("exported")
def test_the_whole_path_of_the_data_is_told_where_the_run_file_holds_it(ebmkit: Ebmkit) -> None:
    """Which may say more of a machine than its owner wants to hand on."""
    whole = ebmkit("export", "coopnets", "whole", "--samples", 0).out
    assert whole.endswith("note: whole/config.toml holds the whole path of the data on this machine\n")
    made = RunFolder(Path("runs/coopnets"))
    assert f'path = "{Path.cwd()}' not in made.config.read_text()  # it was trained in another folder
    assert (
        ebmkit(
            "run",
            "coopnets.toml",
            "--set",
            "data.path=images",
            "--set",
            "run.iterations=1",
            "--set",
            "run.output=runs/here",
        ).code
        == 0
    )
    assert "note:" not in ebmkit("export", "here", "relative", "--samples", 0).out
