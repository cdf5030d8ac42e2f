"""W&B, by the records that it would send, and a stand-in with its calls."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ebmkit.errors import PluginError
from ebmkit_trackers.wandb import WandB
from tests.plugins.conftest import Train
from tests.run.test_rollback import plant  # noqa: F401 - a fixture


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A module of the name of trackio with the calls of W&B; what it was called with."""
    calls: list[tuple[Any, ...]] = []
    module: Any = ModuleType("trackio")
    module.init = lambda **options: calls.append(("init", options["name"], options["resume"]))
    module.log = lambda values, step: calls.append(("log", step, tuple(values)))
    module.Image = lambda pixels: calls.append(("image", pixels.shape, pixels.dtype.name))
    module.finish = lambda: calls.append(("finish",))
    monkeypatch.setitem(sys.modules, "trackio", module)
    return calls


def test_the_calls_of_wandb_come_in_order(train: Train, service: list[tuple[Any, ...]]) -> None:
    folder = train(lambda: WandB(module="trackio"), "run.iterations=2")
    assert service[0] == ("init", "run", "never")
    assert service[-1] == ("finish",)
    logged = [call for call in service if call[0] == "log" and len(call[2]) > 1]
    assert [step for _, step, _ in logged] == [1, 2]
    assert set(logged[0][2]) == set(json.loads(folder.metrics.read_text().splitlines()[0])) - {"iteration"}
    assert ("image", (16, 5 * 16, 3), "uint8") in service


def starts(service: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [call[1:] for call in service if call[0] == "init"]


def test_a_resumed_run_goes_on_as_the_same_run_there_with_each_iteration_once(
    train: Train, service: list[tuple[Any, ...]]
) -> None:
    folder = train(lambda: WandB(module="trackio"))
    (folder.path / "checkpoints/iteration-0000006/manifest.json").unlink()  # resumes from an earlier one
    train(lambda: WandB(module="trackio"), "run.iterations=8")
    assert starts(service) == [("run", "never"), ("run", "allow")]
    figures = [call[1] for call in service if call[0] == "log" and len(call[2]) > 1]
    assert figures == [1, 2, 3, 4, 5, 6, 7, 8]
    pictures = [call[1] for call in service if call[0] == "log" and call[2] == ("revised",)]
    assert pictures == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_run_that_was_rolled_back_becomes_a_run_of_its_own_there(
    train: Train,
    service: list[tuple[Any, ...]],
    plant: Callable[..., None],  # noqa: F811
) -> None:
    plant((6, 0))
    train(lambda: WandB(module="trackio"), "guard.healthy_after=1")
    (first, resume), (second, again) = starts(service)
    assert (first, resume, again) == ("run", "never", "never")
    assert second.startswith("run from ")
    assert [call[1] for call in service if call[0] == "log" and len(call[2]) > 1][-1] == 6


def test_what_is_noted_of_another_project_or_damaged_is_not_gone_on_with(
    tmp_path: Path, service: list[tuple[Any, ...]]
) -> None:
    def begun(project: str) -> None:
        tracker = WandB(module="trackio", project=project)
        tracker.start(name="run", folder=tmp_path, config={}, iteration=3)
        tracker.finish("stopped")

    for project in ("one", "one", "two"):
        begun(project)
    (tmp_path / "trackio/tracked.json").write_text('{"project": "two"}')
    begun("two")
    assert [resume for _, resume in starts(service)] == ["never", "allow", "never", "never"]


def logged(content: bytes) -> Iterator[bytes]:
    """The records of W&B's file: LevelDB's log after 7 bytes, pieces that cross no border of 32 KiB."""
    at, pieces = 7, b""
    while len(content) - at > 7:
        if 2**15 - at % 2**15 < 7:
            at += 2**15 - at % 2**15
        length, last = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6] in (1, 4)
        pieces += content[at + 7 : at + 7 + length]
        at += 7 + length
        if last:
            yield pieces
            pieces = b""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wandb_itself_has_one_run_after_a_resume_with_each_iteration_once(
    train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Offline, by the records that it would send."""
    pytest.importorskip("wandb", reason="needs W&B: pip install wandb")
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    folder = train(WandB)
    (folder.path / "checkpoints/iteration-0000006/manifest.json").unlink()
    train(WandB, "run.iterations=8")
    runs, steps = set(), []
    for file in sorted(tmp_path.glob("wandb/offline-run-*/*.wandb")):
        for data in logged(file.read_bytes()):
            record = Record.FromString(data)
            runs |= {record.run.run_id} - {""}
            names = {item.key or item.nested_key[0] for item in record.history.item}
            if "energy_gap" in names:
                steps.append(record.history.step.num)
    assert len(runs) == 1
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_module_that_is_missing_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trackio", None)
    tracker = WandB(module="trackio")
    with pytest.raises(PluginError, match=r"trackio is not installed \(.*\): pip install trackio$"):
        tracker.start(name="run", folder=tmp_path, config={}, iteration=0)
    tracker.finish("failed")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_diverged_is_not_gone_on_with(tmp_path: Path, service: list[tuple[Any, ...]]) -> None:
    for status in ("diverged", "stopped", "stopped"):
        tracker = WandB(module="trackio")
        tracker.start(name="run", folder=tmp_path, config={}, iteration=3)
        tracker.finish(status)
    assert [resume for _, resume in starts(service)] == ["never", "never", "allow"]


def test_figures_that_are_no_number_are_left_out(tmp_path: Path, service: list[tuple[Any, ...]]) -> None:
    tracker = WandB(module="trackio")
    tracker.start(name="run", folder=tmp_path, config={}, iteration=0)
    tracker.metrics(1, {"gap": 1.0, "bad": math.nan, "worse": math.inf})
    assert service[-1] == ("log", 1, ("gap",))
