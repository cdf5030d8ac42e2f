"""The best checkpoint survives rotation, rollback and a kill at any call, and is never gone on from."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ebmkit.errors import CheckpointError
from ebmkit.run import start
from ebmkit.run.recorders import Recorder
from ebmkit.run.saving import Checkpoints
from ebmkit.run.session import Session
from ebmkit.storage.best import Best, best_of, keep_best, open_checkpoint, read_best
from ebmkit.storage.checkpoint import newest_checkpoint, read_checkpoint, write_checkpoint
from ebmkit.storage.rotation import withdraw_after
from ebmkit.training.loop import Report
from tests.conftest import Ebmkit
from tests.run.test_resume import final_state, same_bits
from tests.storage.test_checkpoint import checkpoint, equal

RunFile = Callable[[str], Path]


def kept(folder: Path, iteration: int, value: float, *, figure: str = "kid") -> bool:
    write_checkpoint(folder, checkpoint(iteration), keep=1)
    return keep_best(folder, Best(figure, value, iteration))


def test_it_survives_rotation_and_rollback_and_is_not_the_newest(tmp_path: Path) -> None:
    assert kept(tmp_path, 10, 0.5)
    assert kept(tmp_path, 20, 0.25)
    assert not kept(tmp_path, 30, 0.25)  # no better
    assert not kept(tmp_path, 40, float("nan"))
    withdraw_after(tmp_path, 0)
    found, best = read_best(tmp_path)
    assert equal(found, checkpoint(20))
    assert best == Best("kid", 0.25, 20)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        newest_checkpoint(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_another_figure_takes_its_place_and_higher_may_be_better(tmp_path: Path) -> None:
    assert kept(tmp_path, 10, 0.1)
    assert kept(tmp_path, 20, 9.0, figure="fid")
    write_checkpoint(tmp_path, checkpoint(30), keep=1)
    assert keep_best(tmp_path, Best("recall", 0.1, 30, "higher"))
    write_checkpoint(tmp_path, checkpoint(40), keep=1)
    assert keep_best(tmp_path, Best("recall", 0.2, 40, "higher"))
    assert not keep_best(tmp_path, Best("recall", 0.15, 40, "higher"))


def test_it_takes_no_room_while_it_is_also_the_newest(tmp_path: Path) -> None:
    kept(tmp_path, 10, 0.1)
    file = "iteration-0000010/energy.safetensors"
    assert (tmp_path / file).samefile(tmp_path / "best" / file)


def test_a_file_system_without_links_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert kept(tmp_path, 10, 0.1)
    assert equal(read_best(tmp_path)[0], checkpoint(10))


@pytest.mark.parametrize("call", ["fsync", "rename", "link"])
@pytest.mark.parametrize("which", range(6))
def test_a_failure_at_any_call_leaves_the_old_or_the_new_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, which: int
) -> None:
    kept(tmp_path, 1, 0.5)
    write_checkpoint(tmp_path, checkpoint(2), keep=2)
    owner = Path if call == "rename" else os
    original, calls = getattr(owner, call), iter(range(1000))

    def failing(*arguments: object, **options: object) -> object:
        if next(calls) == which:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*arguments, **options)

    monkeypatch.setattr(owner, call, failing)
    try:
        saved = keep_best(tmp_path, Best("kid", 0.25, 2))
    except OSError:
        saved = False
    monkeypatch.undo()
    found, best = read_best(tmp_path)
    assert equal(found, checkpoint(best.iteration))
    assert best.iteration == 2 if saved else best.iteration in (1, 2)
    assert kept(tmp_path, 3, 0.1)  # what was left half done is in nobody's way
    assert read_best(tmp_path)[1].iteration == 3
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("file", ["figure.json", "iteration-0000001/energy.safetensors"])
def test_a_damaged_one_is_refused_by_name(tmp_path: Path, file: str) -> None:
    kept(tmp_path, 1, 0.5)
    data = (tmp_path / "best" / file).read_bytes()
    (tmp_path / "best" / file).write_bytes(data.replace(b"0", b"1"))
    with pytest.raises(CheckpointError, match=file):
        read_best(tmp_path)


def test_of_those_that_are_there_the_one_that_is_asked_for_is_opened(tmp_path: Path) -> None:
    kept(tmp_path, 10, 0.1)
    write_checkpoint(tmp_path, checkpoint(20), keep=1)
    opened = {which: open_checkpoint(tmp_path, which).iteration for which in ("newest", "best", 10, 20)}  # type: ignore[arg-type]
    assert opened == {"newest": 20, "best": 10, 10: 10, 20: 20}
    with pytest.raises(CheckpointError, match=r"iteration 15 in .*; there are: 20, 10 \(best\)"):
        open_checkpoint(tmp_path, 15)


class Energies(Recorder):
    """Keeps the iteration whose samples have the lowest energy: a figure of a real run."""

    name = "energies"

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints
        self.seen: dict[int, float] = {}

    def due(self, iteration: int) -> bool:
        return True

    def record(self, report: Report) -> None:
        value = float(report.metrics()["energy_revised"])
        self.seen[report.iteration] = value
        self.checkpoints.best(Best("energy_revised", value, report.iteration))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Energies]:
    """Let every run that is started keep its best; the recorders that do."""
    original, made = start.session_of, []

    def session(*arguments: object, **options: object) -> Session:
        session = original(*arguments, **options)  # type: ignore[arg-type]
        made.append(Energies(session.checkpoints))
        session.recorders.members = [made[-1], *session.recorders.members]
        return session

    monkeypatch.setattr(start, "session_of", session)
    return made


def test_a_run_keeps_the_best_by_a_figure_and_commands_use_it(
    run_file: RunFile, ebmkit: Ebmkit, judged: list[Energies]
) -> None:
    file = run_file("coopnets")
    sets = [word for each in ("run.keep=1", "run.iterations=5") for word in ("--set", each)]
    assert ebmkit("run", file, *sets).code == 0
    seen = judged[0].seen
    best = min(seen, key=seen.__getitem__)
    kept_best = best_of(Path("runs/coopnets/checkpoints"))
    assert kept_best == Best("energy_revised", seen[best], best)
    assert f"after iteration {best}" in ebmkit("sample", "coopnets", "--count", 2, "--checkpoint", "best").out
    assert "after iteration 5" in ebmkit("sample", "coopnets", "--count", 2, "--checkpoint", 5).out
    assert ebmkit("sample", "coopnets", "--checkpoint", 77).code == 5
    refused = ebmkit("sample", "coopnets", "--checkpoint", "good")
    assert (refused.code, "takes an iteration or best; got 'good'" in refused.err) == (2, True)


def test_keeping_the_best_changes_no_bit_and_resume_keeps_the_same(
    run_file: RunFile, ebmkit: Ebmkit, judged: list[Energies]
) -> None:
    file = run_file("coopnets")
    assert ebmkit("run", file, "--set", "run.output=whole").code == 0
    assert ebmkit("run", file, "--set", "run.output=cut", "--set", "run.iterations=3").code == 0
    assert ebmkit("resume", "cut", "--set", "run.iterations=6").code == 0
    assert best_of(Path("cut/checkpoints")) == best_of(Path("whole/checkpoints"))
    assert same_bits(final_state(Path("cut")), final_state(Path("whole")))


def test_a_run_with_nothing_kept_says_so(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("coopnets"), "--set", "run.iterations=1").code == 0
    refused = ebmkit("sample", "coopnets", "--checkpoint", "best")
    assert refused.code == 5
    assert "no best checkpoint in runs/coopnets/checkpoints" in refused.err


def test_the_seal_is_that_of_manifests(tmp_path: Path) -> None:
    kept(tmp_path, 1, 0.5)
    entries = json.loads((tmp_path / "best/figure.json").read_text())
    assert {"sha256", "figure", "value", "iteration", "better"} <= entries.keys()
    assert read_checkpoint(tmp_path / "best/iteration-0000001").iteration == 1
