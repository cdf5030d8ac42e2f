from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RUN_FILES, Ebmkit

RunFile = Callable[[str], Path]


@pytest.mark.parametrize("name", RUN_FILES)
def test_check_validates_without_leaving_anything(name: str, run_file: RunFile, ebmkit: Ebmkit) -> None:
    outcome = ebmkit("check", run_file(name))
    assert (outcome.code, outcome.err) == (0, "")
    assert "is valid: 6 iterations" in outcome.out
    assert not Path("runs").exists()


def test_a_table_or_a_key_can_be_left_out_on_the_command_line(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    alone = ["check", file, "--set", "schedule.use=descriptor-only", "--json"]
    assert "E108" in ebmkit(*alone).out
    answer = json.loads(ebmkit(*alone, "--unset", "generator").out)
    assert "generator" not in answer["config"]
    shown = ebmkit("check", file, "--unset", "generatr", "--unset", "run.iteration").err
    assert "has no 'generatr' to leave out" in shown
    assert shown.count("did you mean 'generator'?") == shown.count("did you mean 'iterations'?") == 1
