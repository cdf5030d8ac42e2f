from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ebmkit as face
from ebmkit.config import ConfigProblemsError, read_document
from ebmkit.config.plan import make_plan
from ebmkit.registry.discovery import Registry

RunFile = Callable[[str], Path]


def test_values_of_a_program_are_those_of_the_command_line(run_file: RunFile) -> None:
    file = run_file("coopnets")
    overrides: dict[str, Any] = {
        "energy.channels": (2, 4),
        "revision.graph": True,
        "revision.step_size": 1e-5,
        "run.seed": 7,
    }
    sets = ["energy.channels=[2, 4]", "revision.graph=true", "revision.step_size=1e-5", "run.seed=7"]
    wanted = make_plan(read_document(file, sets), Registry.discover())
    assert face.load_plan(file, overrides=overrides).tables() == wanted.tables()
    assert face.load_plan(str(file)).tables() != wanted.tables()


@pytest.mark.parametrize("text", ["1", "true", "[1]", 'a "name"', "C:\\new", "é = 1"])
def test_a_text_stays_the_text_that_it_is(text: str, run_file: RunFile) -> None:
    assert face.load_plan(run_file("coopnets"), overrides={"run.output": text}).run.output == text


def test_all_that_is_wrong_is_raised_at_once(run_file: RunFile) -> None:
    wrong = {"energy.chanels": (4,), "revision.steps": -1, "schedule.chains": "four"}
    with pytest.raises(ConfigProblemsError) as caught:
        face.load_plan(run_file("coopnets"), overrides=wrong)
    assert {each.code for each in caught.value.problems} == {"E103", "E104", "E105"}
