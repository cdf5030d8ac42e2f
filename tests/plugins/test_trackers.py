"""Trackers, against the reader of TensorBoard itself and a stand-in with W&B's calls."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from rich.console import Console

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Chain, Examples
from ebmkit.core.tracker import Tracker
from ebmkit.registry.discovery import Registry
from ebmkit.report.traces import traces_of
from ebmkit.run import start
from ebmkit.run.recorders import Every, Figures
from ebmkit.run.session import Session
from ebmkit.run.start import resume_run, start_run
from ebmkit.run.tracking import Tracking, replay
from ebmkit.storage.folder import RunFolder
from ebmkit.testing.parts import TinyEnergy
from ebmkit.training.loop import Report
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_langevin.langevin import Langevin
from ebmkit_trackers.tensorboard import TensorBoard
from ebmkit_trackers.wandb import WandB
from tests.conftest import Ebmkit, Install
from tests.run.test_resume import metrics
from tests.run.test_rollback import plant  # noqa: F401 - a fixture

RunFile = Callable[[str], Path]
Train = Callable[..., RunFolder]


@pytest.fixture
def train(run_file: RunFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Train the tiny run with a tracker, or go on with it."""
    monkeypatch.chdir(tmp_path)
    original = start.session_of

    def trained(make: Callable[[], Tracker] | None, *sets: str) -> RunFolder:
        def tracked(folder: RunFolder, training: Any, *rest: Any, **options: Any) -> Session:
            session = original(folder, training, *rest, **options)
            if make is not None:
                every, figures = Every(1, training.plan.run.iterations), session.recorders.members[0].figures  # type: ignore[attr-defined]
                recorder = Tracking("tracker", make, folder, training.plan.tables(), every, every, figures)
                session.recorders.members = [*session.recorders.members, recorder]
            return session

        monkeypatch.setattr(start, "session_of", tracked)
        folder = RunFolder(Path("run"))
        plan = make_plan(read_document(run_file("coopnets"), sets), Registry.discover())
        begin = resume_run if folder.config.exists() else start_run
        assert begin(plan, folder, Console(file=io.StringIO())) == 0
        return folder

    return trained


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


def test_a_tracker_that_fails_is_left_out_and_the_run_is_the_same(train: Train) -> None:
    class Broken(Tracker):
        def metrics(self, iteration: int, values: Any) -> None:
            values.clear()  # its own copy
            raise ConnectionError("no network")

    folder = train(Broken)
    assert [line["iteration"] for line in metrics(folder.path)] == [1, 2, 3, 4, 5, 6]
    assert all("energy_gap" in line for line in metrics(folder.path))


def test_images_are_copies(train: Train) -> None:
    seen: list[torch.Tensor] = []

    class Scribbling(Tracker):
        def metrics(self, iteration: int, values: Any) -> None:
            pass

        def images(self, iteration: int, name: str, examples: torch.Tensor) -> None:
            seen.append(examples.fill_(float("nan")))

    train(Scribbling)
    assert len(seen) > 6


def test_a_tracker_gets_plots_of_sequences(tmp_path: Path) -> None:
    seen: dict[str, torch.Tensor] = {}

    class Seeing(Tracker):
        def metrics(self, iteration: int, values: Any) -> None:
            pass

        def images(self, iteration: int, name: str, examples: torch.Tensor) -> None:
            seen[name] = examples

    x = torch.linspace(-1, 1, 30).view(2, 1, 15)
    sets = Examples(observed=x, revised=x[..., 0])
    recorder = Tracking("t", Seeing, RunFolder(tmp_path), {}, lambda _: False, lambda _: True, Figures())
    recorder.restart(0)
    schedule = DescriptorOnly(TinyEnergy((1, 15)), Chain(Langevin(step_size=0.1), 1), (1, 15))
    recorder.record(Report(1, sets, {}, {}, schedule))
    assert list(seen) == ["observed"]
    assert torch.equal(((seen["observed"] + 1) * 127.5).round(), traces_of(x).float())


SHEET = """
    import json
    from pathlib import Path
    from ebmkit.core.tracker import Tracker
    from ebmkit.plugin import hookimpl

    class Sheet(Tracker):
        '''Writes a sheet.

        Args:
            title: its name.
        '''

        def __init__(self, *, title: str = "sheet") -> None:
            self.title = title
            self.file = None

        def start(self, *, name, folder, config, iteration):
            self.file = Path(folder) / self.title

        def metrics(self, iteration, values):
            with self.file.open("a") as sheet:
                sheet.write(json.dumps([iteration, *values]) + "\\n")

    @hookimpl
    def ebmkit_trackers():
        return {"sheet": Sheet}
"""


def test_a_table_of_the_run_file_brings_a_tracker_which_a_resumed_run_may_leave_out(
    run_file: RunFile, ebmkit: Ebmkit, install: Install
) -> None:
    install("sheets", "sheets", SHEET)
    file = run_file("coopnets")
    file.write_text(file.read_text() + '\n[trackers.mine]\nuse = "sheet"\ntitle = "figures"\n')
    assert ebmkit("run", file, "--set", "run.iterations=2").code == 0
    sheet = Path("runs/coopnets/figures")
    assert [json.loads(line)[0] for line in sheet.read_text().splitlines()] == [1, 2]
    config = Path("runs/coopnets/config.toml")
    config.write_text(config.read_text().replace('[trackers.mine]\nuse = "sheet"\ntitle = "figures"\n', ""))
    assert ebmkit("resume", "coopnets", "--set", "run.iterations=3").code == 0
    assert len(sheet.read_text().splitlines()) == 2
    assert "3 iterations shown to sheet" in ebmkit("track", "coopnets", "--to", "sheet").out
    assert len(Path("runs/coopnets/sheet").read_text().splitlines()) == 3
