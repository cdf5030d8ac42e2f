from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.cli.output import writing
from ebmkit.errors import RunDirectoryError
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_json_says_the_same_and_nothing_else(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    file.write_text(file.read_text().replace("step_size = 0.03", "stepsize = 0.03\nsteps = 4"))
    for command in ("check", "run"):
        outcome = ebmkit(command, file, "--json", "--set", "energy.channels=8", "--set", "steps=3")
        answer = json.loads(outcome.out)
        assert (outcome.code, answer["exit_code"]) == (2, 2)
        found = {each["code"]: each for each in answer["errors"]}
        assert found.keys() == {"E103", "E104", "E110", "E112"}
        line = file.read_text().splitlines().index("stepsize = 0.03") + 1
        assert (found["E103"]["line"], found["E103"]["column"]) == (line, 1)
        assert found["E103"]["suggestion"] == "step_size"
        assert found["E104"]["suggestion"] == "[8]"
        assert found["E112"]["line"] == line + 1


def test_json_of_a_valid_file_and_of_a_finished_run(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    checked = json.loads(ebmkit("check", file, "--json").out)
    assert (checked["exit_code"], checked["errors"]) == (0, [])
    assert checked["config"]["revision"]["step_size"] == 0.03
    done = ebmkit("run", file, "--json", "--set", "run.iterations=1")
    answer = json.loads(done.out)
    assert (answer["exit_code"], answer["run"]) == (0, "runs/coopnets")
    assert "done: 1 iterations" in done.err
    again = json.loads(ebmkit("run", file, "--json").out)
    assert again["exit_code"] == 2
    assert "ebmkit resume coopnets" in again["errors"][0]["message"]


def test_what_stands_in_the_way_of_a_folder_is_told_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError) as refused, writing(tmp_path / "file/deep/folder"):
        pytest.fail("the work had begun")
    assert str(refused.value) == (
        f"cannot write {tmp_path}/file/deep/folder: {tmp_path}/file is not a folder; --output chooses another"
    )
    with writing(tmp_path / "new/folder"):
        assert not (tmp_path / "new").exists()  # who writes makes it


def test_a_disk_that_is_full_is_told_with_the_file_that_did_not_fit(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError) as refused, writing(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "big.png"))
    assert str(refused.value) == f"cannot write {tmp_path}/big.png: No space left on device"


def test_what_is_printed_below_python_stays_out_of_the_answer() -> None:
    code = (
        "import os, typer\n"
        "from ebmkit.cli.output import answering\n"
        "def command():\n"
        "    with answering(as_json=True) as answer:\n"
        "        print('printed'); os.write(1, b'written\\n'); os.system('echo told')\n"
        "        answer['found'] = 3\n"
        "        raise typer.Exit(7)\n"
        "typer.run(command)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (7, {"exit_code": 7, "found": 3})
    assert sorted(done.stderr.split()) == ["printed", "told", "written"]
