"""A training that diverges stops with exit code 6 and loses nothing that was saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Batch, Rng, Updates
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.storage.capture import restore
from ebmkit.storage.checkpoint import newest_checkpoint
from ebmkit.training.guard import Rollback
from ebmkit.training.loop import train
from ebmkit_coopnets.coopnets import CoopNets
from tests.conftest import Ebmkit
from tests.run.test_resume import final_state, metrics, same_bits, state

RunFile = Callable[[str], Path]


def weights_are_finite(folder: Path) -> bool:
    files = newest_checkpoint(folder / "checkpoints")[0].files
    return all(torch.isfinite(value).all() for tensors in files.values() for value in tensors.values())


def test_what_was_saved_before_stays_loadable(run_file: RunFile, ebmkit: Ebmkit) -> None:
    file = run_file("coopnets")
    huge = (
        "--set",
        "energy.optimizer.lr=1e4",
        "--set",
        "run.iterations=50",
        "--set",
        "run.checkpoint_every=1",
    )
    outcome = ebmkit("run", file, *huge)
    assert outcome.code == 6, outcome.out
    assert weights_are_finite(Path("runs/coopnets"))
    assert ebmkit("sample", "coopnets", "--count", 2, "--steps", 0).code == 0


PLANTED = ("run.iterations=8", "run.keep=1", "guard.healthy_after=1")


def sets(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the loss of the energy NaN in one iteration under the noise of so many rollbacks."""

    def planted(*faults: tuple[int, int], seed: int = 0) -> None:
        keys = set()
        for iteration, rollbacks in faults:
            root = Rng(seed).fold_in("rollback", rollbacks) if rollbacks else Rng(seed)
            keys.add(root.fold_in("iteration", iteration - 1).key)
        original = CoopNets.updates

        def updates(self: CoopNets, batch: Batch, *, rng: Rng) -> Updates:
            inner = original(self, batch, rng=rng)
            while True:
                try:
                    update = next(inner)
                except StopIteration as end:
                    return end.value
                faulty = update.part == "energy" and rng.key in keys
                yield update._replace(loss=update.loss * float("nan")) if faulty else update

        monkeypatch.setattr(CoopNets, "updates", updates)

    return planted


def test_a_rollback_goes_on_from_the_newest_healthy_checkpoint(
    run_file: RunFile, ebmkit: Ebmkit, plant: Callable[..., None]
) -> None:
    plant((8, 0))
    outcome = ebmkit("run", run_file("coopnets"), *sets(*PLANTED))
    assert outcome.code == 0, outcome.err
    assert "Back to iteration 6 (healthy) with new noise, rollback 1." in outcome.out
    assert weights_are_finite(Path("runs/coopnets"))
    assert [line["iteration"] for line in metrics(Path("runs/coopnets"))] == [*range(1, 9)]
    lines = Path("runs/coopnets/rollbacks.jsonl").read_text().splitlines()
    assert [(json.loads(line)["iteration"], json.loads(line)["to"]) for line in lines] == [(8, 6)]


def test_resume_is_exact_also_around_rollbacks(
    run_file: RunFile, ebmkit: Ebmkit, plant: Callable[..., None]
) -> None:
    plant((6, 0), (6, 1), (8, 2))
    file = run_file("coopnets")
    assert ebmkit("run", file, *sets(*PLANTED, "run.output=whole")).code == 0
    whole, logged = final_state(Path("whole")), metrics(Path("whole"))
    rollbacks = Path("whole/rollbacks.jsonl").read_text()
    assert [json.loads(line)["to"] for line in rollbacks.splitlines()] == [4, 2, 6]
    for stop in range(1, 8):
        cut = Path(f"cut-{stop}")
        assert ebmkit("run", file, *sets(*PLANTED, f"run.output={cut}", f"run.iterations={stop}")).code == 0
        assert ebmkit("resume", cut, *sets("run.iterations=8")).code == 0
        assert same_bits(final_state(cut), whole), stop
        assert metrics(cut) == logged
        assert (cut / "rollbacks.jsonl").read_text() == rollbacks


def test_another_guard_changes_no_bit_before_the_next_divergence(
    run_file: RunFile, ebmkit: Ebmkit, plant: Callable[..., None]
) -> None:
    """Stopped before the first divergence, or between two, and resumed with what a new run would have had."""
    plant((6, 0), (8, 1))
    file = run_file("coopnets")
    eased, less = "guard.rate_factor=0.5", "guard.rate_factor=0.1"
    assert ebmkit("run", file, *sets(*PLANTED, eased, "run.output=eased")).code == 0
    for stop, first, then in ((5, "guard.rollbacks=0", [eased, "guard.rollbacks=3"]), (7, eased, [less])):
        cut = Path(f"cut-{stop}")
        begun = ebmkit("run", file, *sets(*PLANTED, first, f"run.output={cut}", f"run.iterations={stop}"))
        resumed = ebmkit("resume", cut, *sets("run.iterations=8", *then))
        assert (begun.code, resumed.code) == (0, 0), resumed.err
    assert same_bits(final_state(Path("cut-5")), final_state(Path("eased")))
    assert rate_factors(Path("eased")) == [0.5, 0.5]
    # The first rollback keeps its factor; the second has that of its own time.
    assert rate_factors(Path("cut-7")) == [0.5, 0.1]
    assert not same_bits(final_state(Path("cut-7")), final_state(Path("eased")))


def rate_factors(run: Path) -> list[float]:
    lines = (run / "rollbacks.jsonl").read_text().splitlines()
    return [json.loads(line)["rate_factor"] for line in lines]


def test_when_going_back_does_not_help_the_last_healthy_checkpoint_is_left(
    run_file: RunFile, ebmkit: Ebmkit, plant: Callable[..., None]
) -> None:
    plant(*((8, rollbacks) for rollbacks in range(4)))
    outcome = ebmkit("run", run_file("coopnets"), *sets(*PLANTED))
    assert outcome.code == 6
    assert outcome.out.count("Back to iteration") == 3
    assert "3 times in 1000 iterations" in outcome.err
    assert "guard.rate_factor" in outcome.err
    newest = newest_checkpoint(Path("runs/coopnets/checkpoints"))[0].iteration
    assert f"The last healthy checkpoint, of iteration {newest}" in outcome.err
    assert ebmkit("resume", "coopnets").code == 6  # the same arithmetic again
    # What its message says to do is accepted; here the fourth rollback is what helps.
    assert "resume with rollbacks that make them smaller: --set guard.rate_factor=0.5" in outcome.err
    assert ebmkit("resume", "coopnets", *sets("guard.rate_factor=0.5", "guard.rollbacks=9")).code == 0


def test_without_rollbacks_the_first_divergence_ends_the_run(
    run_file: RunFile, ebmkit: Ebmkit, plant: Callable[..., None]
) -> None:
    plant((8, 0))
    outcome = ebmkit("run", run_file("coopnets"), *sets(*PLANTED, "guard.rollbacks=0"))
    assert outcome.code == 6
    assert "Back to" not in outcome.out
    assert "of iteration 6, is the newest" in outcome.err


def test_a_run_without_a_healthy_checkpoint_starts_again(
    run_file: RunFile, ebmkit: Ebmkit, plant: Callable[..., None]
) -> None:
    plant((2, 0))
    outcome = ebmkit("run", run_file("coopnets"))
    assert outcome.code == 0
    assert "Back to the start" in outcome.out


def test_averaged_weights_go_back_with_the_others(
    run_file: RunFile, ebmkit: Ebmkit, plant: Callable[..., None]
) -> None:
    """A run that rolled back from 6 to 4 ends as one that begins at the checkpoint of 4, with that noise."""
    settings = ["energy.averaging.decay=0.5", "generator.averaging.start=3"]
    file, options = run_file("coopnets"), sets("guard.healthy_after=1", *settings)
    assert ebmkit("run", file, *options, *sets("run.iterations=4", "run.output=clean")).code == 0
    plant((6, 0))
    assert ebmkit("run", file, *options, *sets("run.iterations=8", "run.output=faulty")).code == 0
    plan = make_plan(read_document(file, settings), Registry.discover())
    training = build_experiment(plan, rollbacks=[Rollback(6, 4, "", 1.0, 1.0)])
    restore(newest_checkpoint(Path("clean/checkpoints"))[0], training)
    for _ in train(training, iterations=8, start=4):
        pass
    final = final_state(Path("faulty"))
    assert same_bits(final, state(training))
    assert [final[f"averaged/{part}/updates"] for part in ("energy", "generator")] == [8, 5]
