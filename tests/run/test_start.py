"""How a run begins, and what it begins from."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch
from rich.console import Console

from ebmkit import __version__
from ebmkit.config.changes import Allowed
from ebmkit.core import World
from ebmkit.errors import CheckpointError, RunDirectoryError
from ebmkit.run.build import build_experiment
from ebmkit.run.processes import Crew
from ebmkit.run.rollback import GuardedTraining
from ebmkit.run.start import facts_of, look_for_room, restore_newest, start_run
from ebmkit.storage import folder as folders
from ebmkit.storage.capture import capture, expected_bytes
from ebmkit.storage.checkpoint import newest_checkpoint, write_checkpoint
from ebmkit.storage.folder import RunFolder
from ebmkit.training.guard import Guard
from tests.conftest import Ebmkit
from tests.run.test_resume import final_state, same_bits
from tests.training.test_guard import plan_of

RunFile = Callable[[str], Path]


def test_a_resumed_run_keeps_its_number_of_threads(run_file: RunFile, ebmkit: Ebmkit) -> None:
    torch.set_num_threads(2)
    ebmkit("run", run_file("coopnets"), "--set", "run.iterations=2")
    torch.set_num_threads(1)
    try:
        outcome = ebmkit("resume", "coopnets", "--set", "run.iterations=4")
        assert "using 2 threads" in outcome.out
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_a_finished_run_has_nothing_to_do(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"))
    outcome = ebmkit("resume")
    assert outcome.code == 0
    assert "6/6" in outcome.out


def test_a_descriptor_starts_a_cooperative_run_and_back(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("descriptor-only"))
    one = ("--set", "run.iterations=1")
    outcome = ebmkit("run", run_file("coopnets"), "--init-from", "descriptor-only", *one)
    assert outcome.code == 0
    for line in ("energy: loaded", "generator: not in it", "replay: left", "optimizer: left"):
        assert f"  {line}" in outcome.out
    weight = "energy/features.0.weight"
    given, begun = (final_state(Path("runs") / name)[weight] for name in ("descriptor-only", "coopnets"))
    # One step of Adam moves a weight by its rate at most.
    assert 0 < (begun - given).abs().max() < 1.1e-3
    back = ("--init-from", "coopnets", "--set", "run.output=runs/back", *one)
    assert "  generator: left" in ebmkit("run", run_file("descriptor-only"), *back).out
    other = ("--init-from", "coopnets", "--set", "run.output=runs/other")
    refused = ebmkit("run", run_file("coopnets"), *other, "--set", "energy.channels=[4,6]")
    assert (refused.code, "its energy is not the one" in refused.err) == (5, True)
    refused = ebmkit("run", run_file("generator-only"), "--init-from", "descriptor-only", *other[2:])
    assert (refused.code, "nothing to start from" in refused.err) == (5, True)
    assert not Path("runs/other").exists()


def console() -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written), written


@pytest.fixture
def training(run_file: RunFile, tmp_path: Path) -> GuardedTraining:
    plan = plan_of(run_file("descriptor-only"))
    experiment = build_experiment(plan)
    return GuardedTraining(plan, tmp_path / "checkpoints", experiment, Guard(plan.guard), Crew(World()))


def restored(training: GuardedTraining, **facts: int | None) -> tuple[int | None, str]:
    """Which iteration is gone on with, and what is said, of one saved with these facts."""
    own = facts_of(training.plan, training.experiment)
    for _ in zip(range(2), training.reports(0, on_rollback=lambda _: None), strict=False):
        pass
    saved = capture(training.experiment, iteration=2, facts=attrs.evolve(own, **facts))  # type: ignore[arg-type]
    write_checkpoint(training.checkpoints, saved, keep=1)
    quiet, written = console()
    found = restore_newest(training.plan, training, own, Allowed(), quiet)
    return None if found is None else found.iteration, written.getvalue()


def test_a_checkpoint_remembers_what_it_was_trained_on_and_by_what(training: GuardedTraining) -> None:
    facts = facts_of(training.plan, training.experiment)
    source = training.experiment.batches.source
    assert facts.data is not None
    assert (facts.data.shape, facts.data.examples, facts.data.sha256) == (
        (1, 16, 16),
        12,
        source.fingerprint(),
    )
    assert facts.config == training.plan.tables()
    assert facts.plugins.keys() == {"ebmkit-torch"}
    assert (facts.threads, facts.processes) == (torch.get_num_threads(), 1)
    assert facts.versions["ebmkit"] == __version__
    assert facts.guard is None


def test_where_nothing_was_saved_a_run_goes_on_from_its_start(training: GuardedTraining) -> None:
    before = {name: each.clone() for name, each in training.experiment.schedule.state_dict().items()}
    facts = facts_of(training.plan, training.experiment)
    assert restore_newest(training.plan, training, facts, Allowed(), console()[0]) is None
    assert same_bits(training.experiment.schedule.state_dict(), before)


def test_the_newest_checkpoint_is_gone_on_with_without_a_word(training: GuardedTraining) -> None:
    assert restored(training) == (2, "")


@pytest.mark.parametrize("threads", [0, 5000])
def test_so_many_threads_as_nobody_has_are_refused(threads: int, training: GuardedTraining) -> None:
    with pytest.raises(CheckpointError, match=f"was written by {threads} threads, which cannot be"):
        restored(training, threads=threads)


def test_another_number_of_processes_rounds_differently_and_is_said(training: GuardedTraining) -> None:
    iteration, said = restored(training, processes=3, threads=5000)  # its threads do not matter then
    assert iteration == 2
    assert said.startswith("saved by 3 processes, goes on with 1: the same batches and noise")


def test_a_folder_that_holds_a_run_is_left_as_it_is(run_file: RunFile, tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it/config.toml").write_text("# somebody's")
    plan = plan_of(run_file("descriptor-only"))
    quiet, written = console()
    with pytest.raises(RunDirectoryError, match="exists already"):
        start_run(plan, RunFolder(tmp_path / "it"), quiet)
    assert (tmp_path / "it/config.toml").read_text() == "# somebody's"
    assert [path.name for path in (tmp_path / "it").glob("[!.]*")] == ["config.toml"]
    assert written.getvalue() == ""


def test_a_full_disk_is_told_before_anything_is_trained(
    training: GuardedTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of room for two checkpoints, where two are to be kept beside the one that is being written."""
    size, room = expected_bytes(training.experiment), folders.shutil.disk_usage(tmp_path)  # type: ignore[attr-defined]

    def said(free: float) -> str:
        left = room._replace(free=int(free))
        monkeypatch.setattr(folders.shutil, "disk_usage", lambda _: left)  # type: ignore[attr-defined]
        quiet, written = console()
        look_for_room(training.plan, RunFolder(tmp_path), training.experiment, quiet)
        return written.getvalue()

    keep = training.plan.run.keep
    assert said((keep + 2) * size) == ""
    assert said((keep + 0.5) * size).startswith("warning: ")
    with pytest.raises(RunDirectoryError, match="too full to save anything"):
        said(size / 2)


def test_weights_of_another_run_are_saved_before_anything_is_trained_with_where_they_are_from(
    run_file: RunFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a run that is killed before its next save resumes with them."""
    monkeypatch.chdir(tmp_path)
    plan = plan_of(run_file("descriptor-only"), "run.iterations=1")
    first, second = RunFolder(Path("first")), RunFolder(Path("second"))
    assert start_run(plan, first, console()[0]) == 0
    quiet, written = console()
    assert start_run(plan, second, quiet, source=first) == 0
    assert f"from {first.path}, iteration 1\n  energy: loaded\n" in written.getvalue()
    saved, _ = newest_checkpoint(second.checkpoints)
    assert saved.facts.origin is not None
    assert (saved.facts.origin.run, saved.facts.origin.iteration) == (str(first.path), 1)
    assert sorted(path.name for path in second.checkpoints.glob("iter*")) == [
        "iteration-0000000",
        "iteration-0000001",
    ]
