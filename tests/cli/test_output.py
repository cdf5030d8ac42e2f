from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
