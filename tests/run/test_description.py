"""What is going to run, in a few lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from torch import nn

from ebmkit.run.build import build_experiment
from ebmkit.run.description import describe
from ebmkit.training.loop import Learner
from ebmkit.training.precision import in_software
from ebmkit_optim.sgd import SGD
from tests.training.test_guard import plan_of

RunFile = Callable[[str], Path]


def facts(file: Path, *overrides: str) -> dict[str, str]:
    plan = plan_of(file, *overrides)
    return dict(describe(plan, build_experiment(plan)))


def test_every_part_is_told_with_its_size_and_the_keys_that_are_ebmkits(run_file: RunFile) -> None:
    found = facts(run_file("coopnets"))
    plan = plan_of(run_file("coopnets"))
    parts = {name: each.module.parameters() for name, each in build_experiment(plan).learners.items()}
    counts = {name: sum(each.numel() for each in of) for name, of in parts.items()}
    assert [*found] == ["data", "energy", "generator", "revision", "schedule", "device"]
    assert found["energy"] == f"descriptor  {counts['energy']} parameters"
    assert found["generator"] == f"generator   {counts['generator']} parameters"
    assert found["data"].startswith("folder      12 examples 1x16x16, batch=5")
    assert found["revision"].startswith("langevin    steps=3")
    assert (found["schedule"], found["device"]) == ("coopnets", "cpu")


def test_one_example_is_no_examples(run_file: RunFile) -> None:
    assert " 1 example 1x16x16, " in facts(run_file("coopnets"), "data.limit=1")["data"]


@pytest.mark.parametrize(("weights", "said"), [(99_999, "99999"), (100_000, "0.10 M"), (2_345_678, "2.35 M")])
def test_many_parameters_are_counted_in_millions(weights: int, said: str, run_file: RunFile) -> None:
    plan = plan_of(run_file("descriptor-only"))
    learner = Learner(nn.Linear(weights - 1, 1), SGD())
    experiment = attrs.evolve(build_experiment(plan), learners={"energy": learner})
    assert dict(describe(plan, experiment))["energy"] == f"descriptor       {said} parameters"


def test_what_is_usual_is_not_told_and_another_precision_is(run_file: RunFile) -> None:
    file = run_file("coopnets")
    assert "precision" not in facts(file)
    plan = plan_of(file, "run.precision=bf16")
    experiment = build_experiment(plan)
    told = dict(describe(plan, experiment))["precision"]
    assert told.partition(" ")[0] == "bf16"
    assert ("no bfloat16 arithmetic" in told) == in_software("bf16", experiment.batches.device)


def test_what_the_data_note_and_which_classes_they_have_is_told(run_file: RunFile) -> None:
    plan = plan_of(run_file("coopnets"))
    experiment = build_experiment(plan)
    source = experiment.batches.source
    source.notes, source.classes = ("2 files are left out", "one is odd"), ("cat", "dog")  # type: ignore[misc]
    told = describe(plan, experiment)
    assert ("classes", "cat, dog") in told
    assert [said for name, said in told if name == "note"] == ["2 files are left out", "one is odd"]


def test_a_tracker_is_told_as_one_whatever_its_table_is_called(run_file: RunFile) -> None:
    file = run_file("coopnets")
    plan = plan_of(file)
    tracked = attrs.evolve(plan, parts={**plan.parts, "trackers.mine": plan.parts["schedule"]})
    assert [name for name, _ in describe(tracked, build_experiment(plan))].count("tracker") == 1
