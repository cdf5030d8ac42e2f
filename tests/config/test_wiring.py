from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


@pytest.mark.parametrize(
    ("name", "use", "message"),
    [
        ("coopnets", "descriptor-only", "takes no part 'generator'"),
        ("coopnets", "generator-only", "needs the part 'inference'"),
        ("descriptor-only", "coopnets", "needs the part 'generator'"),
    ],
)
def test_parts_that_do_not_fit_the_schedule(
    name: str, use: str, message: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    outcome = ebmkit("check", run_file(name), "--set", f"schedule.use={use}")
    assert outcome.code == 2
    assert message in outcome.err


def test_what_is_not_installed_or_misspelt_is_told_before_training(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    wrong = ebmkit("check", file, "--set", 'evaluation.metrics=["kidd"]', "--set", "evaluation.features=lite")
    assert "did you mean 'kid'?" in wrong.err
    assert "did you mean 'lite0'?" in wrong.err
    assert wrong.code == 4
    few = ebmkit("check", file, "--set", "evaluation.count=2", "--set", "evaluation.evry=3")
    assert few.code == 2
    assert "'every'" in few.err
    assert ">= 8" in few.err


def test_a_file_of_weights_is_named_where_the_features_want_one_and_nowhere_else(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    file = run_file("coopnets")
    lacking = ebmkit("check", file, "--set", "evaluation.features=inception")
    assert lacking.code == 2
    assert "error[E106]: missing key 'weights' for features 'inception'" in lacking.err
    assert 'weights = "PATH" in [evaluation]' in lacking.err
    inception = ("--set", "evaluation.features=inception", "--set")
    gone = ebmkit("check", file, *inception, "evaluation.weights=gone.pth")
    assert (gone.code, "weights = 'gone.pth' does not exist" in gone.err) == (2, True)
    assert ebmkit("check", file, *inception, f"evaluation.weights={file}").code == 0
    for features in ("pixels", "auto", "lite0-224"):
        both = (*("--set", f"evaluation.features={features}"), *("--set", f"evaluation.weights={file}"))
        assert f"the features {features!r} take no weights" in ebmkit("check", file, *both).err
