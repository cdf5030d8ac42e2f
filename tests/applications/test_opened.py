from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

import ebmkit as face
from ebmkit.errors import CheckpointError, ConfigError, DataError
from ebmkit.evaluation.store import read_evaluations
from ebmkit.run.weights import Weights
from ebmkit.storage.folder import RunFolder
from ebmkit_coopnets import CoopNets
from tests.conftest import Ebmkit


@pytest.fixture
def trained(exported: Path) -> face.TrainedRun:
    return face.load("coopnets")


def test_it_draws_the_bits_that_the_command_draws(trained: face.TrainedRun, ebmkit: Ebmkit) -> None:
    assert ebmkit("sample", "coopnets", "--count", 5, "--seed", 4, "--steps", 2).code == 0
    drawn = safetensors.torch.load_file("runs/coopnets/generated/seed-4/samples.safetensors")
    samples = trained.sample(5, seed=4, steps=2)._asdict()
    assert drawn.keys() == {name for name, x in samples.items() if x is not None}
    assert all(torch.equal(samples[name], x) for name, x in drawn.items())


def test_a_run_without_classes_has_none_to_draw(trained: face.TrainedRun) -> None:
    assert trained.classes == ()
    for condition in (0, "rose"):
        with pytest.raises(ConfigError, match="run coopnets has no classes to draw"):
            trained.sample(1, condition=condition)


def test_it_is_opened_at_any_checkpoint_in_eval_mode_and_learns_no_more(trained: face.TrainedRun) -> None:
    earlier = face.load("runs/coopnets", checkpoint=4)
    assert (trained.iteration, earlier.iteration) == (6, 4)
    for each in (trained, earlier):
        assert not each.schedule.training
        assert not any(parameter.requires_grad for parameter in each.schedule.parameters())
        assert each.config["revision"]["step_size"] == 0.03
    assert trained.energy is not None
    assert earlier.energy is not None
    x = trained.examples(limit=3, path="images")
    assert x.shape == (3, 1, 16, 16)
    assert not torch.equal(trained.energy(x), earlier.energy(x))
    assert trained.encoder is None
    with pytest.raises(CheckpointError):
        face.load("coopnets", checkpoint=1)


def test_the_figures_are_those_of_the_evaluation_while_it_trained_and_nothing_is_stored(
    trained: face.TrainedRun,
) -> None:
    images = trained.examples(path="images")
    before = read_evaluations(RunFolder(Path("runs/coopnets")))
    found = trained.evaluate(against=images)
    assert found.count == before[-1].count == 8
    assert found.figures[0].name == "kid"
    assert found.figures[0].value == pytest.approx(before[-1].figures[0].value)
    assert read_evaluations(RunFolder(Path("runs/coopnets"))) == before
    assert [each.name for each in found.floor] == [each.name for each in found.ceiling] == ["kid"]


def test_examples_of_another_shape_are_not_compared_with(trained: face.TrainedRun) -> None:
    said = r"the examples have shape \(1, 8, 8\), samples of this run \(1, 16, 16\)"
    with pytest.raises(DataError, match=said):
        trained.evaluate(against=torch.zeros(9, 1, 8, 8))


def test_a_schedule_that_the_weights_are_not_of_is_refused(trained: face.TrainedRun) -> None:
    schedule = trained.schedule
    assert isinstance(schedule, CoopNets)
    assert schedule.generator is not None
    del schedule.generator.project
    with pytest.raises(CheckpointError, match="the checkpoint does not fit this schedule"):
        face.load("coopnets", schedule=schedule)


def test_an_evaluation_says_which_weights_it_judged(run_file: Callable[[str], Path], ebmkit: Ebmkit) -> None:
    sets = ("run.iterations=1", "energy.averaging.decay=0.5", 'evaluation.metrics=["swd"]')
    words = [word for each in sets for word in ("--set", each)]
    assert ebmkit("run", run_file("descriptor-only"), *words).code == 0
    asked: dict[Weights | None, str] = {None: "averaged weights (energy)", "last": "last weights"}
    for weights, said in asked.items():
        trained = face.load("descriptor-only", weights=weights)
        assert trained.weights == said
        assert trained.evaluate(count=8).weights == said
