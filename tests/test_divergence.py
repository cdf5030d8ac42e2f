"""A training that diverges stops with exit code 6 and loses nothing that was saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from ebmkit.checkpoint import newest_checkpoint
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def weights_are_finite(folder: Path) -> bool:
    files = newest_checkpoint(folder / "checkpoints")[0].files
    return all(torch.isfinite(value).all() for tensors in files.values() for value in tensors.values())


def test_chains_that_run_away_stop_the_run(run_file: RunFile, ebmkit: Ebmkit) -> None:
    # Langevin dynamics under N(0, 0.3^2) is unstable for steps above 0.6: it multiplies by 1 - 12.5 a step.
    outcome = ebmkit("run", run_file("coopnets"), "--set", "revision.step_size=1.5")
    assert outcome.code == 6
    assert "iteration 1: the revised samples reach" in outcome.err
    assert "below 2 s" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_loss_that_is_not_finite_is_not_applied(run_file: RunFile, ebmkit: Ebmkit) -> None:
    assert ebmkit("run", run_file("generator-only"), "--set", "run.iterations=2").code == 0
    file = run_file("generator-only")
    file.write_text(file.read_text().replace("latents = 6", "latents = 6\nnoise_std = 1e-30"))
    outcome = ebmkit("run", file, "--set", "run.output=runs/huge")
    assert outcome.code == 6
    assert "not applied" in outcome.err
    assert weights_are_finite(Path("runs/generator-only"))
    assert not list(Path("runs/huge/checkpoints").glob("iteration-*"))


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
