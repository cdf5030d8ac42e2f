from __future__ import annotations

import json
from pathlib import Path

import torch

from ebmkit.storage.manifest import MANIFEST, read_manifest, seal
from tests.conftest import Ebmkit


def test_its_card_says_what_it_is(exported: Path, ebmkit: Ebmkit) -> None:
    card = (exported / "README.md").read_text()
    sha256 = read_manifest(exported)["data"]["sha256"]
    figure = json.loads(Path("runs/coopnets/evaluation/0000006.json").read_text())["figures"][0]
    for said in (
        "Energy and generator, trained by ebmkit",
        "iteration 6, last weights, of 6 iterations with seed 0",
        'trained = ebmkit.load("out")',
        "x = trained.sample(64, seed=1).revised  # (64, 1, 16, 16)",
        "| source | folder, images |",
        "| examples | 12, each 1x16x16 |",
        f"| SHA-256 | {sha256} |",
        "| `energy.channels` | `[4, 8]` | `[64, 128, 256]` |",
        f"| kid | {figure['value']:.4g} | {figure['error']:.4g} | 8 | pixels |",
        "No rollback",
        f"torch {torch.__version__}",
    ):
        assert said in card, said
    assert str(Path.cwd()) not in card
    for default in ("revision.graph", "energy.optimizer.eps", "data.workers", "evaluation.against"):
        assert default not in card


def test_a_card_tells_rollbacks_and_an_early_end(exported: Path, ebmkit: Ebmkit) -> None:
    folder = Path("runs/coopnets/checkpoints/iteration-0000004")
    entries = {k: v for k, v in read_manifest(folder).items() if k not in ("sha256", "format")}
    entries["guard"]["rollbacks"] = [
        {"iteration": 3, "to": 2, "reason": "a | b", "step_factor": 1.0, "rate_factor": 1.0}
    ]
    (folder / MANIFEST).write_bytes(seal(entries))
    assert ebmkit("export", "coopnets", "early", "--checkpoint", 4, "--samples", 0).code == 0
    card = Path("early/README.md").read_text()
    assert "- Diverged at iteration 3, went back to 2: a \\| b" in card
    assert "- Of 6 iterations planned, these weights had 4." in card
    assert "Not evaluated after this iteration." in card
    assert not list(Path("early").glob("*.png"))
