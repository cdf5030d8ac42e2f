"""Two processes do what one does: the same batches, noise and samples, and weights that round differently."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ebmkit.storage.checkpoint import newest_checkpoint
from tests.conftest import Ebmkit, Install
from tests.processes import ONE_THREAD, finish, run_commands, start
from tests.run.test_resume import final_state, metrics, wait_for
from tests.run.test_rollback import sets

RunFile = Callable[[str], Path]

SCHEDULES = (
    "coopnets-rigorous",
    "descriptor-only-data",
    "dual",
    "generator-only-hidden",
    "multigrid",
    "sampling-hidden",
)

# Plain gradient descent: Adam takes a step of full length along a gradient that is 0 but for rounding.
DESCENT = {
    "energy": ('energy.optimizer={use="sgd",lr=1e-5}', "energy.averaging={decay=0.5,start=1}"),
    "generator": ('generator.optimizer={use="sgd",lr=1e-4}', "generator.averaging={decay=0.5}"),
    "grids.4": ('grids.4.optimizer={use="sgd",lr=1e-5}',),
    "grids.16": ('grids.16.optimizer={use="sgd",lr=1e-5}',),
}


def assert_close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], tolerance: float) -> None:
    """Within ``tolerance`` of each tensor's own size; of 0.001 where that is smaller."""
    assert a.keys() == b.keys()
    for name, value in a.items():
        difference = (value.double() - b[name].double()).abs().max()
        assert float(difference) <= tolerance * max(float(value.double().abs().max()), 1e-3), name


def descent(file: Path) -> list[str]:
    """The options of plain gradient descent, averaged, for the parts that a run file has."""
    text = file.read_text()
    return sets(*(value for part, values in DESCENT.items() if f"[{part}]" in text for value in values))


FAULTY = """
    from ebmkit.core import Rng, world
    from ebmkit.plugin import hookimpl
    from ebmkit_coopnets.coopnets import CoopNets

    class Faulty(CoopNets):
        '''The last process has a loss of NaN in iteration 6, before the first rollback.'''

        def updates(self, batch, *, rng):
            inner = super().updates(batch, rng=rng)
            while True:
                try:
                    update = next(inner)
                except StopIteration as end:
                    return end.value
                here = rng.key == Rng(0).fold_in("iteration", 5).key and world().rank == world().size - 1
                bad = here and update.part == "energy"
                yield update._replace(loss=update.loss * float("nan")) if bad else update

    @hookimpl
    def ebmkit_schedulers():
        return {"faulty": Faulty}
"""


def test_two_processes_do_what_one_does(
    run_file: RunFile, ebmkit: Ebmkit, tmp_path: Path, install: Install
) -> None:
    """Batches of five and four chains: parts of two and three, two and two."""
    install("faulty", "faulty", FAULTY)
    commands: list[tuple[object, ...]] = []
    for name in SCHEDULES:
        file = run_file(name)
        for folder, iterations in (("one", 6), ("part", 2)):
            run = ("run", file, *descent(file), "--set", f"run.output={folder}/{name}")
            assert ebmkit(*run, "--set", f"run.iterations={iterations}").code == 0
        commands.append(("run", file, *descent(file), "--set", f"run.output=two/{name}"))
        commands.append(("resume", f"part/{name}", "--set", "run.iterations=4"))
    ebmkit("sample", "one/coopnets-rigorous", "--count", 150, "--output", "samples-one")
    commands.append(("sample", "one/coopnets-rigorous", "--count", 150, "--output", "samples-two"))
    commands.append(("sample", "one/coopnets-rigorous", "--count", 3, "--output", "few"))
    # What goes wrong: in the training, once and always, and found before it.
    coopnets = run_file("coopnets")
    faulty = ("run", coopnets, *descent(coopnets), *sets("schedule.use=faulty", "guard.healthy_after=1"))
    assert ebmkit(*faulty, "--set", "run.output=one/faulty").code == 0
    commands.append((*faulty, "--set", "run.output=two/faulty"))
    commands.append(("run", coopnets, "--set", "run.output=one/coopnets-rigorous"))
    commands.append(("run", coopnets, "--set", "revision.step_size=1.5"))
    commands.append(("run", coopnets, "--set", "revision.stepsize=1.5"))

    *good, exists, diverged, mistyped = run_commands(commands, tmp_path)

    assert [(first.code, first.err, second) for first, second in good] == [(0, "", (0, "", ""))] * len(good)
    for name in SCHEDULES:
        one, two, part = (Path(folder, name) for folder in ("one", "two", "part"))
        with pytest.raises(AssertionError):  # it did learn
            assert_close(final_state(one), final_state(part), 1e-3)
        assert_close(final_state(one), final_state(two), 1e-5)
        assert_metrics_close(metrics(one), metrics(two))
        assert {path.name for path in one.rglob("*.png")} == {path.name for path in two.rglob("*.png")}
        # One process, then two, then one: nothing that persists is lost on the way.
        outcome = ebmkit("resume", part, "--set", "run.iterations=6")
        assert "saved by 2 processes, goes on with 1" in outcome.out
        assert_close(final_state(one), final_state(part), 1e-5)
    rolled_back = good[-1][0]
    assert "Back to iteration 4 (healthy) with new noise, rollback 1." in rolled_back.out
    one, two = Path("one/faulty"), Path("two/faulty")
    assert (two / "rollbacks.jsonl").read_text() == (one / "rollbacks.jsonl").read_text()
    assert_close(final_state(one), final_state(two), 1e-5)
    assert_metrics_close(metrics(one), metrics(two))
    for samples in ("samples.safetensors", "revised.png"):
        assert Path("samples-one", samples).read_bytes() == Path("samples-two", samples).read_bytes()
    for (first, second), code, text in (
        (exists, 2, "exists already"),
        (diverged, 6, "ran away"),
        (mistyped, 2, "stepsize"),
    ):
        assert (first.code, second.code) == (code, code)
        assert text in first.err
        assert second.err == ""


def assert_metrics_close(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> None:
    """The figures that are made from whole sets, not averaged over processes."""
    assert [line.keys() for line in a] == [line.keys() for line in b]
    whole = a[0].keys() & {"energy_gap", "chain_displacement", "reconstruction_error", "catch_up"}
    for mine, other in zip(a, b, strict=True):
        assert {key: other[key] for key in whole} == pytest.approx(
            {key: mine[key] for key in whole}, rel=1e-3
        )


def endless(run_file: RunFile, folder: Path, *options: str) -> list[Any]:
    """A training by two processes that goes on until somebody stops it."""
    file = run_file("coopnets")
    command = ["-m", "ebmkit", "run", str(file), "--set", "run.iterations=1000000", *options]
    processes = start(command, folder)
    wait_for(folder / "runs/coopnets/samples/revised-0000003.png", seconds=120)
    return processes


def test_a_lost_process_is_named_in_one_line_and_the_run_resumes(
    run_file: RunFile, ebmkit: Ebmkit, tmp_path: Path
) -> None:
    processes = endless(run_file, tmp_path)
    processes[1].kill()
    survivor, _ = finish(processes)
    assert survivor[0] == 3
    (line,) = survivor[2].splitlines()
    assert line.startswith("error: rank 1 (")
    assert f"process {processes[1].pid}) is gone" in line
    saved = newest_checkpoint(Path("runs/coopnets/checkpoints"))[0].iteration
    assert ebmkit("resume", "coopnets", "--set", f"run.iterations={saved + 1}").code == 0


def test_a_signal_to_one_process_saves_and_stops_all(run_file: RunFile, tmp_path: Path) -> None:
    processes = endless(run_file, tmp_path)
    processes[1].terminate()
    leader, other = finish(processes)
    assert (leader[0], other[0]) == (75, 75)
    saved = newest_checkpoint(tmp_path / "runs/coopnets/checkpoints")[0].iteration
    assert f"saved iteration {saved}" in leader[1]
    assert other[1:] == ("", "")


@pytest.mark.slow
def test_torchrun_starts_again_from_the_last_checkpoint(run_file: RunFile, tmp_path: Path) -> None:
    file = run_file("coopnets")
    file.write_text(file.read_text().replace("iterations = 6", "iterations = 60"))
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "--max-restarts",
        "1",
    ]
    launcher = subprocess.Popen(
        [*torchrun, "-m", "ebmkit", "run", str(file)],
        cwd=tmp_path,
        env=ONE_THREAD,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(tmp_path / "runs/coopnets/samples/revised-0000021.png", seconds=150)
    killed = int((tmp_path / "runs/coopnets/.lock").read_text().split()[0])
    os.kill(killed, signal.SIGKILL)
    ((code, out, err),) = finish([launcher])
    assert code == 0, err
    assert "from iteration" in out
    assert "done: 60 iterations" in out
    lines = (tmp_path / "runs/coopnets/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == list(range(1, 61))
