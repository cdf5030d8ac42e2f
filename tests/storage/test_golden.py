"""Checkpoints of earlier releases, kept in ``tests/golden/VERSION``: this one reads them and goes on.

Never made anew: a release that cannot read them says so in its changelog, with a new folder beside them.
Another processor rounds otherwise, so what comes after is compared with a tolerance.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.storage.capture import capture, restore
from ebmkit.storage.checkpoint import Checkpoint, read_checkpoint
from ebmkit.training.loop import train

GOLDEN = Path(__file__).parents[1] / "golden"

NAMES = {
    ("_annealing", "done"): ("annealing", "done"),
    ("schedule", "samples"): ("replay", "samples"),
    ("schedule", "started"): ("replay", "started"),
}
"""File and name of a tensor that had others in an earlier release, and what they are now."""

ROUNDING = {"layers.2.bias", "generator/5/exp_avg", "generator/5/exp_avg_sq"}
"""A bias before batch normalisation has no gradient but rounding's, and Adam takes whole steps by it."""


@pytest.mark.parametrize("name", ["0.1.0/coopnets", "0.1.0/descriptor-only"])
def test_a_kept_checkpoint_is_read_and_goes_on_as_it_did(name: str, tmp_path: Path, images: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text((GOLDEN / name / "run.toml").read_text().replace("{images}", str(images)))
    experiment = build_experiment(make_plan(read_document(file), Registry.discover()))
    second, third = (read_checkpoint(GOLDEN / name / f"iteration-000000{k}") for k in (2, 3))
    restore(read_checkpoint(GOLDEN / name / "iteration-0000002"), experiment)  # its tensors become Adam's own
    for _ in train(experiment, start=2, iterations=3):
        pass
    reached = capture(experiment, iteration=3).files
    expected = converted(third)
    assert reached.keys() == expected.keys()
    for part, tensors in expected.items():
        assert reached[part].keys() == tensors.keys()
        of_gradients = tensors.keys() - (ROUNDING if part in ("generator", "optimizer") else set())
        assert [key for key in of_gradients if not close(reached[part][key], tensors[key])] == []
        # The tolerance is tight enough to tell one iteration from the next.
        if part in ("energy", "generator", "optimizer"):
            assert [key for key in tensors if not close(second.files[part][key], tensors[key])]


@pytest.mark.parametrize("name", ["0.1.0/coopnets", "0.1.0/descriptor-only"])
def test_what_a_kept_checkpoint_holds_is_taken_over_to_the_bit(
    name: str, tmp_path: Path, images: Path
) -> None:
    file = tmp_path / "run.toml"
    file.write_text((GOLDEN / name / "run.toml").read_text().replace("{images}", str(images)))
    experiment = build_experiment(make_plan(read_document(file), Registry.discover()))
    kept = read_checkpoint(GOLDEN / name / "iteration-0000003")
    restore(kept, experiment)
    held, expected = capture(experiment, iteration=3).files, converted(kept)
    assert held.keys() == expected.keys()
    for part, tensors in expected.items():
        assert held[part].keys() == tensors.keys()
        assert all(torch.equal(held[part][key], value) for key, value in tensors.items())


def test_the_gradients_that_are_not_compared_are_rounding() -> None:
    kept = read_checkpoint(GOLDEN / "0.1.0/coopnets" / "iteration-0000003").files["optimizer"]
    squares = {key: float(kept[key].max()) for key in kept if key.endswith("exp_avg_sq")}
    learned = {key: square for key, square in squares.items() if key not in ROUNDING and square}
    assert squares["generator/5/exp_avg_sq"] < 1e-6 * min(learned.values())


def converted(checkpoint: Checkpoint) -> dict[str, dict[str, torch.Tensor]]:
    """Its tensors under the names that they have now; the flag of all chains is now one for each."""
    files: dict[str, dict[str, torch.Tensor]] = {}
    for part, tensors in checkpoint.files.items():
        for key, value in tensors.items():
            now, name = NAMES.get((part, key), (part, key))
            files.setdefault(now, {})[name] = value
    if "replay" in files:
        files["replay"]["started"] = files["replay"]["started"].expand(len(files["replay"]["samples"]))
    return files


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    scale = float(b.float().abs().max()) if b.numel() else 0.0
    return a.shape == b.shape and torch.allclose(a.float(), b.float(), rtol=1e-3, atol=1e-4 * scale)
