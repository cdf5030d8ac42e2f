"""The page about Python and the ten lines are executed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[1]


def test_every_snippet_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "docs/from-python.md").read_text(), re.DOTALL)
    assert len(snippets) == 4
    for snippet in snippets:
        exec(snippet, names)  # noqa: S102 - our own page
    assert names["x"].shape == (4, 1, 16, 16)
    assert names["e"].shape == (4,)
    assert names["odd"].condition.tolist() == [1, 1, 1, 1]


def test_the_ten_lines_train_and_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("ten_lines", ROOT / "examples/ten_lines.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = module.main(2)
    assert drawn.shape == (64, 1, 16, 16)
    assert bool(torch.isfinite(drawn).all())
