from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.evaluation.store import read_evaluations
from ebmkit.storage.folder import RunFolder
from tests.conftest import Ebmkit
from tests.judged import EVERY

RunFile = Callable[[str], Path]


def test_the_command_finds_what_the_training_found_beside_floor_and_ceiling(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "run.output=runs/judged", *EVERY)
    inside = read_evaluations(RunFolder(Path("runs/judged")))[-1]
    answer = json.loads(ebmkit("evaluate", "judged", "--json").out)["evaluations"][0]
    assert answer["figures"][0]["value"] == pytest.approx(inside.figures[0].value)
    assert {"floor", "ceiling"} < {name for name, value in answer.items() if value}
    shown = ebmkit("evaluate", "judged", "--checkpoint", "all", "--count", "8").out
    assert "floor" in shown
    assert "kid over" in shown
    assert read_evaluations(RunFolder(Path("runs/judged")))[-1].floor


def test_all_checkpoints_of_a_run_that_has_none_is_one_message(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "run.output=runs/one", *EVERY)
    shutil.rmtree("runs/one/checkpoints")
    asked = ebmkit("evaluate", "one", "--checkpoint", "all")
    assert asked.code == 5
    assert "Traceback" not in asked.err


@pytest.mark.usefixtures("exported")
def test_checkpoints_that_no_metric_could_judge_have_no_curve_but_the_reason(ebmkit: Ebmkit) -> None:
    asked = ("--set", 'evaluation.metrics=["memorisation"]', "--count", 8)
    judged = ebmkit("evaluate", "coopnets", "--checkpoint", "all", *asked)
    assert (judged.code, judged.err) == (0, "")
    assert "memorisation is left out: it needs held-out examples, kept back from training" in judged.out
    assert "checkpoints:" not in judged.out
