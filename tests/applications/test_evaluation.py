from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit import load
from tests.conftest import Ebmkit
from tests.judged import EVERY

RunFile = Callable[[str], Path]


def test_held_out_examples_are_opened_by_keys_of_the_data(
    run_file: RunFile, ebmkit: Ebmkit, images: Path
) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "run.output=runs/one", "--set", "data.limit=6", *EVERY)
    held_out = ebmkit(
        "evaluate", "one", "--against", "held-out", "--set", "data.skip=2", "--set", "data.limit=4"
    )
    assert "against 4 held-out examples" in held_out.out
    assert (
        f"against {len(list(images.iterdir()))} held-out"
        in ebmkit("evaluate", "one", "--against", images).out
    )
    lacking = ebmkit("evaluate", "one", "--against", "held-out")
    assert lacking.code == 2
    assert "--set data.KEY=VALUE" in lacking.err


def test_samples_of_another_number_of_steps_are_judged_and_named(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "run.output=runs/one", *EVERY)
    own, proposals = (
        json.loads(ebmkit("evaluate", "one", *steps, "--json").out)["evaluations"][0]
        for steps in ((), ("--steps", "0"))
    )
    assert (own["steps"], proposals["steps"]) == (None, 0)
    assert own["figures"] != proposals["figures"]
    assert own["floor"] == proposals["floor"]
    trained = load("one")
    assert [each.value for each in trained.evaluate(steps=0).figures] == [
        each["value"] for each in proposals["figures"]
    ]
    assert "last weights, 0 steps: " in ebmkit("evaluate", "one", "--steps", "0").out
    page = Path(ebmkit("report", "one").out.split()[-1]).read_text(encoding="utf-8")
    assert "with 0 steps of the revision" in page


@pytest.mark.parametrize("command", [["evaluate"], ["score"], ["recover", "--mask-size", "8"]])
def test_keys_that_would_change_nothing_are_refused(
    run_file: RunFile, ebmkit: Ebmkit, command: list[str]
) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "run.output=runs/one", *EVERY)
    refused = ebmkit(*command, "one", "--set", "revision.steps=20")
    assert refused.code == 2
    assert "--set revision.steps=20: this command can change [data]" in refused.err
    assert "--set takes table.key=value, got 'steps'" in ebmkit(*command, "one", "--set", "steps").err
