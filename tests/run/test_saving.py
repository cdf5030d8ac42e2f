"""The recorder that a run needs: what it saves, when, and what it says where it cannot."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from ebmkit.core import World
from ebmkit.errors import TrainingError
from ebmkit.report import MetricsLog
from ebmkit.run.build import build_experiment
from ebmkit.run.processes import Crew
from ebmkit.run.recorders import Every
from ebmkit.run.rollback import GuardedTraining
from ebmkit.run.saving import Checkpoints
from ebmkit.storage.best import Best, best_of
from ebmkit.storage.checkpoint import newest_checkpoint, read_checkpoint
from ebmkit.storage.facts import Facts
from ebmkit.storage.folder import RunFolder
from ebmkit.training.guard import Guard
from tests.run.test_resume import same_bits
from tests.training.test_guard import plan_of

RunFile = Callable[[str], Path]


@pytest.fixture
def told() -> list[int]:
    """The iterations of which it was said that they are saved."""
    return []


@pytest.fixture
def recorder(run_file: RunFile, tmp_path: Path, told: list[int]) -> Checkpoints:
    plan = plan_of(run_file("descriptor-only"), "run.keep=2")
    folder = RunFolder(tmp_path / "it")
    folder.path.mkdir()
    crew = Crew(World())
    training = GuardedTraining(plan, folder.checkpoints, build_experiment(plan), Guard(plan.guard), crew)
    return Checkpoints(folder, training, Facts(threads=3), Every(2, 7), told.append)


def saved(recorder: Checkpoints) -> list[int]:
    return sorted(
        int(path.name.removeprefix("iteration-")) for path in recorder.folder.checkpoints.glob("iter*")
    )


def train_to(recorder: Checkpoints, iteration: int) -> None:
    """Train, with a record of every iteration that is due."""
    for report in recorder.training.reports(0, on_rollback=lambda _: None):
        if recorder.due(report.iteration):
            recorder.record(report)
        if report.iteration == iteration:
            return


def test_what_is_saved_is_the_state_of_the_iteration_with_what_the_guard_remembers(
    recorder: Checkpoints, told: list[int]
) -> None:
    train_to(recorder, 4)
    checkpoint, refused = newest_checkpoint(recorder.folder.checkpoints)
    assert (checkpoint.iteration, refused, told) == (4, [], [2, 4])
    experiment, guard = recorder.training.experiment, recorder.training.guard
    assert same_bits(checkpoint.model_state(), experiment.schedule.state_dict())
    assert checkpoint.facts == attrs.evolve(recorder.facts, guard=guard.memory)


def test_as_many_are_kept_as_the_run_file_says_beside_those_that_the_guard_may_go_back_to(
    recorder: Checkpoints,
) -> None:
    assert [each for each in range(1, 8) if recorder.due(each)] == [2, 4, 6, 7]
    train_to(recorder, 6)
    assert (saved(recorder), recorder.training.guard.protected) == ([2, 4, 6], {2})
    recorder.training.guard.pending = None
    recorder.save(6)
    assert saved(recorder) == [4, 6]


def test_the_best_is_saved_when_it_is_better_and_not_otherwise(recorder: Checkpoints) -> None:
    train_to(recorder, 3)
    assert recorder.best(Best("kid", 0.5, 3))
    assert saved(recorder) == [2, 3]
    assert not recorder.best(Best("kid", 0.5, 4))
    assert saved(recorder) == [2, 3]
    assert best_of(recorder.folder.checkpoints) == Best("kid", 0.5, 3)
    kept = read_checkpoint(recorder.folder.checkpoints / "best/iteration-0000003")
    assert same_bits(kept.model_state(), recorder.training.experiment.schedule.state_dict())


def test_a_disk_that_is_full_ends_the_run_with_what_it_would_take(
    recorder: Checkpoints, told: list[int]
) -> None:
    MetricsLog(recorder.folder.metrics, after=0)
    recorder.save(2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(TrainingError) as refused:
            recorder.save(4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = str(refused.value)
    assert said.startswith(
        f"cannot save iteration 4 in {recorder.folder.checkpoints}: File too large (it takes about "
    )
    assert said.endswith("are free); the checkpoint before it is intact")
    assert (saved(recorder), told) == ([2], [2])
