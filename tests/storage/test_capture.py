"""What a checkpoint takes of an experiment, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch

from ebmkit.errors import CheckpointError
from ebmkit.storage.capture import capture, expected_bytes, initialise, restore, tensors_of
from ebmkit.storage.checkpoint import Checkpoint
from ebmkit.storage.facts import Facts
from ebmkit.training.loop import Experiment, train
from tests.conftest import Ebmkit
from tests.run.test_averaging import SETTINGS, experiment
from tests.run.test_resume import final_state, same_bits, state

RunFile = Callable[[str], Path]


def test_the_checkpoint_holds_weights_optimizers_and_chains(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("descriptor-only"))
    ebmkit("run", run_file("generator-only"))
    descriptor, generator = (
        final_state(Path("runs/descriptor-only")),
        final_state(Path("runs/generator-only")),
    )
    assert descriptor["replay/samples"].shape == (4, 1, 16, 16)
    assert generator["schedule/latents"].shape == (12, 6)
    assert descriptor["optimizer/energy/0/exp_avg"].abs().sum() > 0
    assert "generator/project.weight" in generator


def trained(experiment: Experiment, iterations: int = 2) -> Experiment:
    for _ in train(experiment, iterations=iterations):
        pass
    return experiment


def numbers(checkpoint: Checkpoint) -> int:
    """The bytes of all its tensors."""
    return sum(each.nbytes for tensors in checkpoint.files.values() for each in tensors.values())


def test_what_is_captured_does_not_follow_the_training(run_file: RunFile) -> None:
    training = trained(experiment(run_file("coopnets"), *SETTINGS), 1)
    captured = capture(training, iteration=1)
    before = {(file, name): each.clone() for file, of in captured.files.items() for name, each in of.items()}
    trained(training, 2)
    for (file, name), value in before.items():
        assert torch.equal(captured.files[file][name], value)
    assert not same_bits(state(training), {f"{file}/{name}": each for (file, name), each in before.items()})
    assert not any(each.requires_grad for of in captured.files.values() for each in of.values())


def test_each_part_has_a_file_and_what_is_the_schedules_own_is_beside_them(run_file: RunFile) -> None:
    schedule = experiment(run_file("generator-only")).schedule
    files = tensors_of(schedule)
    assert files.keys() == {"generator", "schedule"}
    assert files["schedule"].keys() == {"latents", "started"}
    joined = {f"generator.{name}": each for name, each in files["generator"].items()} | files["schedule"]
    assert same_bits(joined, schedule.state_dict())


def test_nothing_is_written_of_an_optimizer_that_made_no_step_nor_of_averages_that_are_not_kept(
    run_file: RunFile,
) -> None:
    fresh = experiment(run_file("coopnets"))
    facts = Facts(threads=3)
    parts = {"energy", "generator", "annealing"}
    assert capture(fresh, iteration=0).files.keys() == parts
    assert capture(trained(fresh), iteration=2).files.keys() == parts | {"optimizer"}
    averaged = capture(trained(experiment(run_file("coopnets"), *SETTINGS)), iteration=2, facts=facts)
    assert averaged.files.keys() == parts | {"optimizer", "averaged"}
    assert (averaged.iteration, averaged.facts) == (2, facts)


@pytest.mark.parametrize("settings", [(), SETTINGS], ids=["plain", "averaged"])
def test_the_expected_size_is_that_of_adams_checkpoint_but_for_its_counters(
    settings: tuple[str, ...], run_file: RunFile
) -> None:
    """Adam counts the steps of each weight in four bytes, an average its updates in eight."""
    training = trained(experiment(run_file("coopnets"), *settings))
    captured = capture(training, iteration=2)
    weights = sum(len([*each.module.parameters()]) for each in training.learners.values())
    averages = len([each for each in training.learners.values() if each.average])
    assert numbers(captured) == expected_bytes(training) + 4 * weights + 8 * averages


def test_a_checkpoint_of_other_parts_or_shapes_does_not_fit(run_file: RunFile) -> None:
    file = run_file("coopnets")
    captured = capture(trained(experiment(file)), iteration=2)
    others = (
        experiment(file, "energy.channels=[4,6]"),
        experiment(run_file("descriptor-only")),
        experiment(run_file("dual"), "generator.latents=7"),
    )
    for other in others:
        with pytest.raises(CheckpointError, match="the checkpoint does not fit this run file: "):
            restore(captured, other)


def test_an_average_that_was_not_saved_begins_anew(run_file: RunFile) -> None:
    captured = capture(trained(experiment(run_file("coopnets"))), iteration=2)
    other = experiment(run_file("coopnets"), *SETTINGS)
    restore(captured, other)
    assert {learner.average.updates for learner in other.learners.values() if learner.average} == {0}
    assert same_bits(other.schedule.state_dict(), captured.model_state())


def test_parts_that_both_have_start_from_the_weights_and_all_else_anew(run_file: RunFile) -> None:
    given = capture(trained(experiment(run_file("descriptor-only"))), iteration=2)
    training = experiment(run_file("coopnets"))
    generator = {name: each.clone() for name, each in tensors_of(training.schedule)["generator"].items()}
    lines = initialise(training, given)
    assert lines == [
        "energy: loaded",
        "generator: not in it, starts from the seed",
        "replay: left",
        "annealing: left",
        "optimizer: left",
    ]
    files = tensors_of(training.schedule)
    assert same_bits(files["energy"], given.files["energy"])
    assert same_bits(files["generator"], generator)
    assert not any(learner.optimizer.state for learner in training.learners.values())


def test_who_shares_no_part_cannot_start_from_it(run_file: RunFile) -> None:
    given = capture(experiment(run_file("generator-only")), iteration=0)
    with pytest.raises(CheckpointError) as refused:
        initialise(experiment(run_file("descriptor-only")), given)
    assert str(refused.value) == "nothing to start from: it holds schedule, generator; this run has energy"
    damaged = attrs.evolve(given, files={"energy": {"weight": torch.ones(1)}})
    with pytest.raises(CheckpointError, match="its energy is not the one of this run file"):
        initialise(experiment(run_file("descriptor-only")), damaged)
