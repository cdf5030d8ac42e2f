"""Checkpoints of earlier releases, kept in ``tests/golden/VERSION``: this one reads them and goes on.

Never made anew: a release that cannot read them says so in its changelog, with a new folder beside them.
Another processor rounds otherwise, so what comes after is compared with a tolerance.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ebmkit.build import build_experiment
from ebmkit.checkpoint import capture, read_checkpoint, restore
from ebmkit.config import read_document
from ebmkit.plan import make_plan
from ebmkit.registry import Registry
from ebmkit.training import train

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", ["0.1.0/coopnets", "0.1.0/descriptor-only"])
def test_a_kept_checkpoint_is_read_and_goes_on_as_it_did(name: str, tmp_path: Path, images: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text((GOLDEN / name / "run.toml").read_text().replace("{images}", str(images)))
    experiment = build_experiment(make_plan(read_document(file), Registry.discover()))
    second, third = (read_checkpoint(GOLDEN / name / f"iteration-000000{k}") for k in (2, 3))
    restore(read_checkpoint(GOLDEN / name / "iteration-0000002"), experiment)  # its tensors become Adam's own
    for _ in train(experiment, start=2, iterations=3):
        pass
    reached = capture(experiment, iteration=3, facts={}).files
    assert reached.keys() == third.files.keys()
    for part, tensors in third.files.items():
        assert reached[part].keys() == tensors.keys()
        assert [key for key in tensors if not close(reached[part][key], tensors[key])] == []
        # The tolerance is tight enough to tell one iteration from the next.
        if part in ("energy", "generator", "optimizer"):
            assert [key for key in tensors if not close(second.files[part][key], tensors[key])]


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    scale = float(b.float().abs().max()) if b.numel() else 0.0
    return a.shape == b.shape and torch.allclose(a.float(), b.float(), rtol=1e-3, atol=1e-4 * scale)
