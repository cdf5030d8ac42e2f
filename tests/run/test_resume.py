"""Stop anywhere, resume, and every bit is that of the uninterrupted run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core.stopping import Stopped, stoppable
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.run.signals import StopFlag
from ebmkit.storage.capture import capture
from ebmkit.storage.checkpoint import newest_checkpoint
from ebmkit.training.loop import Experiment, train
from tests.conftest import RUN_FILES, Ebmkit

RunFile = Callable[[str], Path]

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # as this process has: bits depend on it


def final_state(folder: Path) -> dict[str, torch.Tensor]:
    files = newest_checkpoint(folder / "checkpoints")[0].files
    return {f"{file}/{name}": value for file, tensors in files.items() for name, value in tensors.items()}


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The logged figures without the seconds, which no two runs share."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if not name.startswith("seconds")} for line in lines]


def same_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", RUN_FILES)
def test_resume_equals_the_uninterrupted_run_from_every_iteration(
    name: str, run_file: RunFile, ebmkit: Ebmkit
) -> None:
    every = ("--set", "run.checkpoint_every=1", "--set", "run.keep=6")
    assert ebmkit("run", run_file(name), "--set", "run.output=whole", *every).code == 0
    whole, logged = final_state(Path("whole")), metrics(Path("whole"))
    assert [line["iteration"] for line in logged] == [1, 2, 3, 4, 5, 6]
    for stop in range(1, 6):
        cut = Path(f"cut-{stop}")
        shutil.copytree("whole", cut)
        for later in range(stop + 1, 7):
            shutil.rmtree(cut / f"checkpoints/iteration-{later:07d}")
        assert not same_bits(final_state(cut), whole)
        assert ebmkit("resume", cut).code == 0
        assert same_bits(final_state(cut), whole)
        assert metrics(cut) == logged


def test_logging_and_drawing_more_often_changes_no_bit(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets-rigorous")
    ebmkit("run", file, "--set", "run.output=often")
    ebmkit(
        "run",
        file,
        "--set",
        "run.output=seldom",
        "--set",
        "run.log_every=100",
        "--set",
        "run.samples_every=100",
    )
    assert same_bits(final_state(Path("often")), final_state(Path("seldom")))


def test_another_seed_is_another_run(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    ebmkit("run", file, "--set", "run.output=a")
    ebmkit("run", file, "--set", "run.output=b", "--set", "run.seed=1")
    assert not same_bits(final_state(Path("a")), final_state(Path("b")))


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"))
    whole = final_state(Path("runs/coopnets"))
    (Path("runs/coopnets/checkpoints/iteration-0000006") / "energy.safetensors").write_bytes(b"gone")
    outcome = ebmkit("resume", "coopnets")
    assert outcome.code == 0
    assert "iteration-0000006" in outcome.out
    assert same_bits(final_state(Path("runs/coopnets")), whole)


def test_other_settings_are_refused_with_key_then_and_now(run_file: RunFile, ebmkit: Ebmkit) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "run.iterations=2")
    config = Path("runs/coopnets/config.toml")
    config.write_text(config.read_text().replace("step_size = 0.03", "step_size = 0.05"))  # by hand
    line = config.read_text().splitlines().index("step_size = 0.05") + 1
    more = (
        "resume",
        "coopnets",
        "--set",
        "revision.steps=9",
        "--set",
        "run.iterations=4",
        "--set",
        "run.keep=3",
    )
    refused = ebmkit(*more)
    assert refused.code == 2
    assert [line.split() for line in refused.err.splitlines() if line.startswith("  ")] == [
        ["key", "then", "now"],
        ["revision.steps", "3", "9", "--set", "revision.steps=9"],
        ["revision.step_size", "0.03", "0.05", f"{config}:{line}"],
    ]
    assert ebmkit(*more, "--allow-change", "revision.steps").code == 2
    accepted = ebmkit(*more, "--allow-change", "revision.steps", "--allow-change", "revision.step_size")
    assert accepted.code == 0
    assert "changed: revision.steps from 3 to 9" in accepted.out
    # The checkpoints are of the changed run now: it goes on without a word.
    assert ebmkit("resume", "coopnets", "--set", "run.iterations=5").code == 0


def test_other_data_are_refused_with_both(run_file: RunFile, ebmkit: Ebmkit, images: Path) -> None:
    ebmkit("run", run_file("coopnets"), "--set", "run.iterations=2")
    (images / "00.png").unlink()
    fewer = ebmkit("resume", "coopnets", "--set", "run.iterations=4")
    assert fewer.code == 2
    assert ["data.examples", "12", "11"] in [line.split() for line in fewer.err.splitlines()]
    accepted = ebmkit("resume", "coopnets", "--set", "run.iterations=4", "--accept-data-change")
    assert accepted.code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_saves_says_how_to_go_on_and_loses_no_bit(
    run_file: RunFile, ebmkit: Ebmkit, tmp_path: Path, number: int, code: int
) -> None:
    file = run_file("coopnets")
    command = [sys.executable, "-m", "ebmkit", "run", str(file), "--set", "run.iterations=100000"]
    before = signal.signal(number, lambda *_: None)  # a shell ignores Ctrl-C for jobs that it puts aside
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=ONE_THREAD)
    signal.signal(number, before)
    wait_for(tmp_path / "runs/coopnets/samples/revised-0000003.png")
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert "ebmkit resume coopnets" in out
    stopped = newest_checkpoint(tmp_path / "runs/coopnets/checkpoints")[0].iteration
    assert f"saved iteration {stopped}" in out
    assert (
        ebmkit("run", file, "--set", "run.output=whole", "--set", f"run.iterations={stopped + 3}").code == 0
    )
    assert ebmkit("resume", "coopnets", "--set", f"run.iterations={stopped + 3}").code == 0
    assert same_bits(final_state(Path("runs/coopnets")), final_state(Path("whole")))


def counted(steps: int) -> Callable[[], bool]:
    """Says stop after it was asked so many times."""
    left = iter(range(steps))
    return lambda: next(left, None) is None


@pytest.mark.parametrize("name", RUN_FILES)
def test_a_stop_at_any_step_of_a_chain_leaves_the_state_after_the_last_iteration(
    name: str, run_file: RunFile
) -> None:
    plan = make_plan(read_document(run_file(name)), Registry.discover())
    whole = [state(experiment) for experiment in trained(build_experiment(plan), 2)]
    for steps in range(0, 14, 1 if "rigorous" in name else 3):
        experiment = build_experiment(plan)
        done = 0
        with suppress(Stopped), stoppable(counted(steps)):
            for _ in train(experiment, iterations=2):
                done += 1
        assert same_bits(state(experiment), whole[done])
        for _ in train(experiment, iterations=2, start=done):
            pass
        assert same_bits(state(experiment), whole[-1])
    assert done > 0


def trained(experiment: Experiment, iterations: int) -> Iterator[Experiment]:
    """The experiment before the first iteration and after each."""
    yield experiment
    for _ in train(experiment, iterations=iterations):
        yield experiment


def state(experiment: Experiment) -> dict[str, torch.Tensor]:
    files = capture(experiment, iteration=0).files
    return {f"{file}/{name}": value for file, tensors in files.items() for name, value in tensors.items()}


def test_a_signal_does_not_wait_for_a_long_chain(run_file: RunFile, ebmkit: Ebmkit, tmp_path: Path) -> None:
    file = run_file("coopnets")
    assert ebmkit("run", file, "--set", "run.iterations=1").code == 0
    begun = final_state(Path("runs/coopnets"))
    config = Path("runs/coopnets/config.toml")
    config.write_text(config.read_text().replace("steps = 3", "steps = 100000000"))
    command = [sys.executable, "-m", "ebmkit", "resume", "coopnets", "--set", "run.iterations=9"]
    command += ["--allow-change", "revision"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=ONE_THREAD)
    assert process.stdout is not None
    while "device" not in process.stdout.readline():
        pass
    time.sleep(0.3)
    process.send_signal(signal.SIGUSR1)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "saved iteration 1; continue with" in out
    assert same_bits(final_state(Path("runs/coopnets")), begun)


def test_only_a_second_ctrl_c_of_a_person_ends_at_once() -> None:
    with pytest.raises(SystemExit, match="75"):
        StopFlag()(signal.SIGTERM, None)  # nothing to save yet
    flag = StopFlag()
    flag.keep()
    flag(signal.SIGTERM, None)
    flag(signal.SIGTERM, None)
    flag(signal.SIGINT, None)  # the echo of a launcher
    assert flag.received == signal.SIGTERM
    time.sleep(0.35)
    flag(signal.SIGUSR1, None)  # a batch system repeats itself
    with pytest.raises(SystemExit, match="130"):
        flag(signal.SIGINT, None)


def test_a_run_folder_in_use_is_refused(run_file: RunFile, ebmkit: Ebmkit, tmp_path: Path) -> None:
    file = run_file("coopnets")
    command = [sys.executable, "-m", "ebmkit", "run", str(file), "--set", "run.iterations=100000"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        wait_for(tmp_path / "runs/coopnets/samples/revised-0000003.png")
        second, third = ebmkit("run", file), ebmkit("resume", "coopnets")
        process.kill()
    assert (second.code, third.code) == (7, 7)
    assert str(process.pid) in second.err
    # The kernel gave the lock back: a killed process blocks nobody.
    assert ebmkit("resume", "coopnets", "--set", "run.iterations=3").code == 0


def wait_for(path: Path, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.01)
