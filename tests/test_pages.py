"""Code and run files that pages show: they run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from tests.conftest import Ebmkit

ROOT = Path(__file__).parents[1]


def snippets(page: str, language: str) -> list[str]:
    """The blocks of that language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def test_the_lines_of_python_and_the_run_file_train_the_same_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,), (text,) = snippets("README.md", "python"), snippets("README.md", "toml")
    code = code.replace("5200", "1").replace("sample(64", "sample(2")
    names: dict[str, Any] = {"images": torch.linspace(-1, 1, 2 * 64 * 64).reshape(2, 1, 64, 64)}
    exec(code.replace("batch=32", "batch=2"), names)  # noqa: S102 - our own page
    assert names["x"].shape == (2, 1, 64, 64)
    file = tmp_path / "readme.toml"
    images.rename(tmp_path / "photographs")
    file.write_text(text)
    experiment = build_experiment(make_plan(read_document(file), Registry.discover()))
    experiment.schedule.load_state_dict(names["schedule"].state_dict())
    assert names["energy"](names["x"]).tolist() == experiment.schedule.energy(names["x"]).tolist()
    z = torch.linspace(-1, 1, 100)[None]
    assert torch.equal(names["generator"].eval()(z), experiment.schedule.generator.eval()(z))


def test_the_part_beside_a_run_file_keeps_its_promises_and_trains(
    tmp_path: Path, ebmkit: Ebmkit, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (code,), (text,) = snippets("docs/own-parts.md", "python"), snippets("docs/own-parts.md", "toml")
    (tmp_path / "my_parts.py").write_text(code)
    (tmp_path / "mine.toml").write_text(text)
    images.rename(tmp_path / "photographs")
    trained = ebmkit("run", "mine.toml", "--set", "run.iterations=2", "--set", "data.batch=4")
    assert trained.code == 0, trained.err
    assert ebmkit("sample", "mine", "--count", "2").code == 0
    checked = ebmkit("plugins", "check", "my_parts.py:MyEnergy")
    assert checked.code == 0, checked.out


def test_the_tables_of_data_hold_keys_that_their_sources_have() -> None:
    tables = [tomllib.loads(text) for text in snippets("docs/data.md", "toml")]
    used = [table["data"] for table in tables if "data" in table]
    assert [data["use"] for data in used] == ["folder", "npy", "csv", "folder"]
    sources = {each.name: each for each in Registry.discover().components("source")}
    for data in used:
        known = {each.name for each in sources[data["use"]].signature.parameters} | {"batch", "workers"}
        assert data.keys() - {"use"} <= known
