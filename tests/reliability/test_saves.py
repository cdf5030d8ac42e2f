"""A save under a kill, a full disk and a failing disk, at its real system calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from ebmkit.storage.best import Best, best_of, keep_best
from tests.conftest import Ebmkit
from tests.reliability.sweep import Call, child_under_strace, sweep, traced, warm


def strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    return (
        subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode
        == 0
    )


needs_strace = pytest.mark.skipif(not strace_works(), reason="needs strace and the right to trace")


@needs_strace
@pytest.mark.parametrize("how", ["ebmkit", "ebmkit best"])
@pytest.mark.parametrize("mode", ["signal=SIGKILL", "error=ENOSPC"])
def test_a_save_that_is_killed_or_fails_where_it_matters_loses_nothing(how: str, mode: str) -> None:
    """The newest checkpoint, and the best one, which takes the place of the one before."""
    warm(how)
    names = ("fsync", "rename", "mkdir") if mode == "signal=SIGKILL" else ("write", "fsync", "rename")
    outcomes = list(sweep(how, modes=[mode], names=names))
    assert len(outcomes) >= 8
    assert not [each for each in outcomes if each.lost or each.lied]
    # The injections work: some saves died.
    assert any(each.status != 0 for each in outcomes)


@pytest.mark.slow
@needs_strace
@pytest.mark.parametrize("how", ["ebmkit", "ebmkit best"])
def test_a_save_that_is_killed_or_fails_at_any_call_loses_nothing(how: str) -> None:
    warm(how)
    outcomes = list(sweep(how))
    assert len(outcomes) > 150
    assert not [each for each in outcomes if each.lost or each.lied]


@pytest.mark.slow
@needs_strace
def test_the_sweep_finds_what_is_lost_by_a_save_in_place() -> None:
    warm("torch.save")
    assert any(each.lost for each in sweep("torch.save", modes=["signal=SIGKILL"]))


@needs_strace
def test_samples_can_be_drawn_of_the_best_checkpoint_after_a_kill_in_its_replacement(
    run_file: Callable[[str], Path], ebmkit: Ebmkit, tmp_path: Path
) -> None:
    sets = ("--set", "run.output=runs/one", "--set", "run.checkpoint_every=3", "--set", "run.keep=2")
    assert ebmkit("run", run_file("coopnets"), *sets).code == 0
    folder = Path("runs/one/checkpoints")
    assert keep_best(folder, Best("evaluation_kid", 2.0, 3))
    before = Path(shutil.copytree(folder, tmp_path / "before"))
    found = set()
    for call, which in product(("link", "fsync", "rename"), (1, 2, 3)):
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        inject = ("-e", f"inject={call}:signal=SIGKILL:when={which}", "-o", "/dev/null")
        assert child_under_strace(lambda: keep_best(folder, Best("evaluation_kid", 1.0, 6)), *inject) == -9
        sampled = ebmkit("sample", "one", "--checkpoint", "best", "--count", "1")
        assert sampled.code == 0, (call, which, sampled.err)
        kept = best_of(folder)
        assert kept is not None
        found.add(kept.iteration)
    assert found == {3, 6}


@needs_strace
def test_files_reach_the_disk_before_their_name_and_old_ones_go_last(tmp_path: Path) -> None:
    from tests.reliability.saver import save

    folder = tmp_path / "run"
    folder.mkdir()
    warm("ebmkit")
    save("ebmkit", folder, 3)
    calls = traced(folder, "ebmkit")
    at = {name: index for index, call in enumerate(calls) if (name := _event(call, folder))}
    written = [name for name in at if name.startswith("write .tmp")]
    assert len(written) == 3
    for name in written:
        assert at[name] < at[name.replace("write", "fsync")] < at["rename .tmp"]
    folder_of = written[0].split()[1].rpartition("/")[0]
    assert at[f"fsync {folder_of}"] < at["rename .tmp"] < at["fsync ."] < at["rename iteration"]
    truncating = [call for call in calls if "O_TRUNC" in call.arguments]
    assert not truncating


def _event(call: Call, folder: Path) -> str:
    """``write .tmp…/x``, ``fsync PATH``, ``rename .tmp`` or ``rename iteration``; paths below the folder."""
    if call.name in ("write", "fsync"):
        found = re.match(rf"\d+<{re.escape(str(folder))}/?([^>]*)>", call.arguments)
        return f"{call.name} {found[1] or '.'}" if found else ""
    if call.name == "rename":
        found = re.match(rf'"{re.escape(str(folder))}/(\.tmp|iteration)', call.arguments)
        return f"rename {found[1]}" if found else ""
    return ""


def test_a_save_needs_no_temporary_folder(tmp_path: Path) -> None:
    code = "import sys; from tests.reliability.saver import *; save('ebmkit', Path(sys.argv[1]), 4)"
    environment = {**os.environ, "TMPDIR": str(tmp_path / "missing")}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["iteration-0000004"]
