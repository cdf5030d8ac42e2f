"""Whatever a program that trains holds in its hands is shown in a few lines, however large it is."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from ebmkit.applications.diagnosis import diagnose
from ebmkit.applications.opened import TrainedRun
from ebmkit.applications.sampling import load_schedule
from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Rng, value_and_gradient, walk
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.storage.capture import capture
from ebmkit.storage.checkpoint import newest_checkpoint
from ebmkit.storage.folder import find_run
from ebmkit.training.loop import train
from tests.conftest import Ebmkit
from tests.test_project import MODULES

HEAVY = ("Tensor", "Module", "CooperativeScheduler", "EnergyFn")
INSIDE = ("ebmkit_fastconv.", "ebmkit.core.graph")
"""What nobody outside gets to see."""

RunFile = Callable[[str], Path]


def test_every_object_of_a_trained_run_is_shown_in_a_few_lines(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets")).code == 0
    run = find_run("coopnets")
    plan = make_plan(read_document(run.config), Registry.discover())
    experiment = build_experiment(plan)
    report = next(iter(train(experiment, iterations=1)))
    schedule, checkpoint = load_schedule(run)
    x = experiment.batches[0].x
    chain: Any = schedule.revision
    state, _ = next(walk(chain.sampler, schedule.energy, x, rng=Rng(0)))
    shown = {
        "trained": TrainedRun(run, checkpoint.iteration, plan.tables(), schedule),
        "run": run,
        "plan": plan,
        "document": plan.document,
        "table": plan.run,
        "part": plan.parts["energy"],
        "component": plan.parts["energy"].component,
        "signature": plan.parts["schedule"].component.signature,
        "experiment": experiment,
        "learner": experiment.learners["energy"],
        "source": experiment.batches.source,
        "batches": experiment.batches,
        "batch": experiment.batches[0],
        "report": report,
        "examples": report.examples,
        "checkpoint": checkpoint,
        "captured": capture(experiment, iteration=1),
        "newest": newest_checkpoint(run.checkpoints),
        "chain": chain,
        "samples": chain(schedule.energy, x, rng=Rng(0)),
        "state": state,
        "gradient": value_and_gradient(schedule.energy, x),
        "proposal": schedule.propose(50, rng=Rng(0)),
        "diagnosis": diagnose(schedule.energy, chain.sampler, x, warmup=9, steps=20, thin=1, rng=Rng(0)),
    }
    for name, each in shown.items():
        text = repr(each)
        assert len(text) < 1000, f"{name}: {text}"
        assert text.count("\n") < 10, f"{name}: {text}"
    assert repr(checkpoint).startswith("Checkpoint(iteration=6, files={")
    sizes = {
        name: f"{name}: {len(tensors)} tensors of {sum(each.numel() for each in tensors.values()):,} numbers"
        for name, tensors in checkpoint.files.items()
    }
    assert all(size in repr(checkpoint) for size in sizes.values())


def records() -> Iterator[type]:
    """Every public attrs class and named tuple with a field that is a tensor or holds some."""
    for name in MODULES:
        if name.startswith(INSIDE):
            continue
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            found = getattr(module, public)
            if inspect.isclass(found) and found.__module__ == name:
                record = attrs.has(found) or hasattr(found, "_fields")
                fields = inspect.get_annotations(found) if record else {}
                hints = [str(hint) for hint in fields.values() if "Callable" not in str(hint)]
                if any(word in hint for hint in hints for word in HEAVY):
                    yield found


@pytest.mark.parametrize("record", list(records()), ids=lambda each: each.__name__)
def test_a_public_record_of_tensors_has_a_brief_repr(record: type) -> None:
    if record is not TrainedRun:  # which shows itself in a line
        assert "brief(self)" in inspect.getsource(record.__repr__)
