from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

import ebmkit
from ebmkit.applications.sampling import draw_samples
from ebmkit.storage.folder import RunFolder
from ebmkit.storage.manifest import MANIFEST, read_manifest, seal
from tests.conftest import Ebmkit

RunFile = Callable[[str], Path]


def test_an_export_draws_the_samples_of_its_run(exported: Path) -> None:
    saved, of_run = draw_samples(RunFolder(Path("runs/coopnets")), count=5, seed=3)
    again, of_export = draw_samples(RunFolder(exported), count=5, seed=3)
    assert saved.iteration == again.iteration == 6
    assert of_run.keys() == of_export.keys() == {"proposal", "revised", "latents"}
    assert all(torch.equal(of_run[name], of_export[name]) for name in of_run)
    trained = ebmkit.load("out")
    loaded = trained.sample(5, seed=3).revised
    assert loaded is not None
    assert torch.equal(loaded, of_run["revised"])
    reopened = ebmkit.load("out", schedule=trained.schedule).sample(5, seed=3).revised
    assert reopened is not None
    assert torch.equal(loaded, reopened)


def test_it_holds_weights_without_the_state_of_optimizers_and_pictures(exported: Path) -> None:
    names = {path.name for path in exported.iterdir()}
    assert {"energy.safetensors", "generator.safetensors", "config.toml", "README.md", MANIFEST} <= names
    assert "optimizer.safetensors" not in names
    with Image.open(exported / "revised.png") as picture:
        assert picture.size == (4 * 16 + 3 * 2, 4 * 16 + 3 * 2)


def test_commands_take_it_in_the_place_of_a_run(exported: Path, ebmkit: Ebmkit) -> None:
    assert ebmkit("evaluate", exported, "--count", "8").code == 0
    assert ebmkit("export", exported, "again", "--samples", "0").code == 0
    assert Path("again/energy.safetensors").read_bytes() == (exported / "energy.safetensors").read_bytes()
    started = ebmkit(
        "run",
        "coopnets.toml",
        "--set",
        "run.iterations=1",
        "--set",
        "run.output=other",
        "--init-from",
        exported,
    )
    assert started.code == 0
    assert "energy: loaded" in started.out


def test_it_is_not_resumed(exported: Path, ebmkit: Ebmkit) -> None:
    before = sorted(exported.rglob("*"))
    refused = ebmkit("resume", exported)
    assert refused.code == 2
    assert "out is an export: weights, without the state of a training" in refused.err
    assert sorted(exported.rglob("*")) == before


def test_the_best_checkpoint_is_exported_by_its_name(exported: Path, ebmkit: Ebmkit) -> None:
    best = json.loads(Path("runs/coopnets/checkpoints/best/figure.json").read_text())["iteration"]
    done = ebmkit("export", "coopnets", "best", "--checkpoint", "best", "--samples", "0")
    assert f"exported iteration {best};" in done.out
    refused = ebmkit("export", "coopnets", "none", "--checkpoint", "1")
    assert refused.code == 5
    assert not Path("none").exists()


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.canary),))


def test_nothing_of_a_stranger_runs(exported: Path, ebmkit: Ebmkit, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = Path.cwd() / "canary"
    for name in ("weights.pt", "data.pkl", "training_args.bin"):
        (exported / name).write_bytes(pickle.dumps(Bomb(canary)))
    source = f"import os; os.mkdir({str(canary)!r})\nclass Evil: ...\n"
    for name in ("evil.py", "__init__.py", "conftest.py", "sitecustomize.py"):
        (exported / name).write_text(source)
    monkeypatch.syspath_prepend(str(exported))
    assert ebmkit("sample", exported, "--count", "1").code == 0
    config = exported / "config.toml"
    text = config.read_text()
    for use in ("evil:Evil", "evil.py:Evil", "os:system", "ebmkit_convnets.evil:Evil"):
        config.write_text(text.replace('use = "descriptor"', f'use = "{use}"'))
        entries = {k: v for k, v in read_manifest(exported).items() if k not in ("sha256", "format")}
        entries["config"]["energy"]["use"] = use
        (exported / MANIFEST).write_bytes(seal(entries))
        refused = ebmkit("sample", exported, "--count", "1")
        assert refused.code in (2, 4), (use, refused)
    assert not canary.exists()


def test_a_run_file_that_is_not_of_the_weights_is_refused(exported: Path, ebmkit: Ebmkit) -> None:
    config = exported / "config.toml"
    config.write_text(config.read_text().replace("reference_std = 0.3", "reference_std = 0.4"))
    refused = ebmkit("sample", exported)
    assert refused.code == 2
    assert "'reference_std' is not what this run was trained with" in refused.err


def test_samples_are_not_written_through_a_link(exported: Path, ebmkit: Ebmkit, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (exported / "generated").symlink_to(tmp_path / "elsewhere")
    refused = ebmkit("sample", exported)
    assert refused.code == 5
    assert "generated is a link" in refused.err
    assert not any((tmp_path / "elsewhere").iterdir())


def test_averaged_weights_are_exported_where_there_are_some(run_file: RunFile, ebmkit: Ebmkit) -> None:
    averaged = ["--set", "energy.averaging.decay=0.5", "--set", "run.iterations=3"]
    assert ebmkit("run", run_file("descriptor-only"), *averaged).code == 0
    assert ebmkit("export", "descriptor-only", "averaged").code == 0
    assert ebmkit("export", "descriptor-only", "last", "--weights", "last").code == 0
    found = {
        weights: draw_samples(RunFolder(Path("runs/descriptor-only")), count=2, seed=0, weights=weights)[1]
        for weights in ("averaged", "last")
    }
    for weights, samples in found.items():
        _, exported = draw_samples(RunFolder(Path(weights)), count=2, seed=0)
        assert torch.equal(exported["revised"], samples["revised"])
    assert not torch.equal(found["averaged"]["revised"], found["last"]["revised"])
    assert "iteration 3, averaged weights (energy), of 3" in Path("averaged/README.md").read_text()
    assert "iteration 3, last weights, of 3" in Path("last/README.md").read_text()
