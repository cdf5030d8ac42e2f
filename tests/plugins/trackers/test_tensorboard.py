"""TensorBoard, against its own reader."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.run.tracking import replay
from ebmkit_trackers.tensorboard import TensorBoard
from tests.plugins.conftest import Train
from tests.run.test_rollback import plant  # noqa: F401 - a fixture


def shown(folder: Path) -> dict[str, list[int]]:
    """The steps that TensorBoard shows of each scalar and picture."""
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs TensorBoard"
    )
    found = reader.EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    found.Reload()
    tags = found.Tags()
    steps = {tag: [each.step for each in found.Scalars(tag)] for tag in tags["scalars"]}
    return steps | {tag: [each.step for each in found.Images(tag)] for tag in tags["images"]}


def needs_tensorboard() -> None:
    pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install 'ebmkit-torch[tensorboard]'")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_shows_each_iteration_once_after_a_rollback_and_a_resume(
    train: Train,
    plant: Callable[..., None],  # noqa: F811
) -> None:
    needs_tensorboard()
    plant((6, 0))
    folder = train(TensorBoard, "guard.healthy_after=1")
    assert shown(folder.path / "tensorboard")["energy_gap"] == [1, 2, 3, 4, 5, 6]
    (folder.path / "checkpoints/iteration-0000006/manifest.json").unlink()  # resumes from an earlier one
    train(TensorBoard, "guard.healthy_after=1", "run.iterations=7")
    steps = shown(folder.path / "tensorboard")
    assert steps["energy_gap"] == [1, 2, 3, 4, 5, 6, 7]
    assert steps["revised"] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_replay_shows_what_the_files_hold_also_the_second_time(train: Train) -> None:
    needs_tensorboard()
    folder = train(None)
    for _ in range(2):
        assert replay(folder, TensorBoard(), {"run": {"seed": 0}}) == 6
    steps = shown(folder.path / "tensorboard")
    assert steps["energy_gap"] == [1, 2, 3, 4, 5, 6]
    assert steps["revised"] == [3, 6]
    assert steps["seconds/data"] == [1, 2, 3, 4, 5, 6]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_figures_that_are_no_number_are_left_out_and_a_folder_of_its_own_is_taken(tmp_path: Path) -> None:
    needs_tensorboard()
    tracker = TensorBoard(folder=str(tmp_path / "elsewhere"))
    tracker.start(name="run", folder=tmp_path / "run", config={"run": {"seed": 0}}, iteration=0)
    tracker.metrics(1, {"gap": 1.0, "bad": math.nan, "seconds_data": 0.5})
    tracker.metrics(2, {"gap": math.inf, "bad": -math.inf, "seconds_data": 0.5})
    tracker.finish("finished")
    assert shown(tmp_path / "elsewhere") == {"gap": [1], "seconds/data": [1, 2]}
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_never_started_can_finish() -> None:
    TensorBoard().finish("failed")
