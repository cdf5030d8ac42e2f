from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ebmkit.core import Figure
from ebmkit.evaluation.judge import Evaluation
from ebmkit.evaluation.store import read_evaluations, store, to_json
from ebmkit.storage.folder import RunFolder


def evaluation(iteration: int, value: float = 0.25) -> Evaluation:
    return Evaluation(
        iteration=iteration,
        count=8,
        against="training data",
        seed=3,
        figures=[Figure("kid", value, 0.5, 8, "pixels"), Figure("swd", 2.0, None, 8)],
        floor=[Figure("kid", 0.0, 0.1, 8, "pixels")],
        left_out={"fid": "too few"},
        weights="averaged weights (energy)",
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_what_is_stored_is_read_in_the_order_of_iterations_and_the_same_iteration_once(
    folder: RunFolder,
) -> None:
    for iteration, value in ((200, 0.5), (3, 0.5), (10_000_000, 0.5), (200, 0.125)):
        store(folder, evaluation(iteration, value))
    found = read_evaluations(folder)
    assert [to_json(each) for each in found] == [
        to_json(evaluation(iteration, value)) for iteration, value in ((3, 0.5), (200, 0.125), (10**7, 0.5))
    ]
    assert found[0].figures == evaluation(3, 0.5).figures
    assert found[0].figure("swd") == Figure("swd", 2.0, None, 8)


def test_a_number_that_json_has_not_is_null_and_read_as_none(folder: RunFolder) -> None:
    for iteration, value in enumerate((math.nan, math.inf, -math.inf)):
        path = store(folder, evaluation(iteration, value))
        assert json.loads(path.read_text(), parse_constant=pytest.fail)["figures"][0]["value"] is None
    assert [each.figures[0].value for each in read_evaluations(folder)] == [None] * 3


@pytest.mark.parametrize("damage", [b"", b"[1]", b'{"figures": []}', b"\xff", b"3"])
def test_what_is_damaged_is_passed_over(damage: bytes, folder: RunFolder) -> None:
    assert read_evaluations(folder) == []
    store(folder, evaluation(3))
    store(folder, evaluation(5)).write_bytes(damage)
    assert [each.iteration for each in read_evaluations(folder)] == [3]
