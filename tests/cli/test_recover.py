from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_recover_prints_tables_and_writes_scores_and_pictures(run_file: RunFile, ebmkit: Ebmkit) -> None:
    pytest.importorskip("skimage", reason="needs the extra [recovery]")
    ebmkit("run", run_file("coopnets"))
    outcome = ebmkit("recover", "coopnets", "--mask-size", "5,8", "--count", 4, "--steps", 3)
    assert outcome.code == 0, outcome.err
    assert "range [-1, 1], 4 images" in outcome.out
    scores = json.loads(Path("runs/coopnets/recovered/scores.json").read_text())
    assert len(scores) == 2 * 11
    learned = {score["method"] for score in scores} - {
        *("mrf-l1", "mrf-l2", "nearest", "linear", "cubic", "thin-plate", "biharmonic")
    }
    assert learned == {"generator", "blended", "descriptor", "both"}
    assert all(0 <= score["l1"] <= score["l2"] for score in scores)
    with Image.open("runs/coopnets/recovered/squares-8.png") as picture:
        assert picture.size == (13 * 18 - 2, 4 * 18 - 2)
    again = ebmkit("recover", "coopnets", "--mask-size", "5,8", "--count", 4, "--steps", 3)
    assert again.out == outcome.out


def test_recover_reads_other_images(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    pytest.importorskip("skimage", reason="needs the extra [recovery]")
    ebmkit("run", run_file("generator-only"))
    arguments = ("--mask-size", 5, "--steps", 1, "--data", images, "--set", "data.skip=10")
    outcome = ebmkit("recover", "generator-only", *arguments)
    assert outcome.code == 0, outcome.err
    assert "2 images" in outcome.out
    assert "descriptor" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mask-size", "5,x"), "whole numbers"),
        (("--mask-size", "17"), "1 to 16 pixels"),
        (("--sampler", "langevine"), "did you mean 'langevin'"),
        (("--step-size", "-1"), "step_size"),
        (("--data", "nowhere"), "does not exist"),
        (("--set", "data.size=8"), "the run was trained on (1, 16, 16)"),
    ],
)
def test_what_recover_refuses(
    arguments: tuple[str, str], message: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    pytest.importorskip("skimage", reason="needs the extra [recovery]")
    ebmkit("run", run_file("coopnets"))
    outcome = ebmkit("recover", "coopnets", "--mask-size", 5, *arguments)
    assert outcome.code in (2, 4)
    assert message in outcome.err
    assert "Traceback" not in outcome.err
