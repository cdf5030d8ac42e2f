"""What the checks of trackers say of what they saw, and what they leave behind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from ebmkit.testing import check
from tests.testing.wrong.trackers import CLAIMS, Lines


class NeedsAService(Lines):
    def __init__(self, service: object) -> None:
        self.service = service


class OverwritesTheRunFile(Lines):
    def finish(self, status: str) -> None:
        (self.file.parents[1] / "config.toml").write_text(status)


class TakesTheMetricsAway(Lines):
    def finish(self, status: str) -> None:
        (self.file.parents[1] / "metrics.jsonl").unlink()


class GoesThere(Lines):
    def start(self, *, name: str, folder: Path, config: Mapping[str, Any], iteration: int) -> None:
        super().start(name=name, folder=folder, config=config, iteration=iteration)
        os.chdir("/")


class Brightens(Lines):
    def bytes(self, examples: Tensor) -> Tensor:
        return examples.add_(1).mul(127.5)


class ForgetsAFigure(Lines):
    def metrics(self, iteration: int, values: Any) -> None:
        values.pop("seconds")


class OneFileASet(Lines):
    """Right: a file more for each set of images."""

    def images(self, iteration: int, name: str, examples: Tensor) -> None:
        (self.file.parent / f"{name}.txt").write_text(str(iteration))


@pytest.mark.parametrize(
    ("component", "name", "said"),
    [
        (Lines, "run", "1 files"),
        (OneFileASet, "run", "3 files"),
        (NeedsAService, "parameters", "its constructor takes service, which nobody hands in"),
        (OverwritesTheRunFile, "harmless", "it changes config.toml in the folder of the run"),
        (TakesTheMetricsAway, "harmless", "it changes metrics.jsonl in the folder of the run"),
        (GoesThere, "harmless", "it leaves the program in /"),
        (Brightens, "harmless", "it changes the images that it is shown"),
        (ForgetsAFigure, "harmless", "it changes the figures that it is given"),
    ],
)
def test_what_was_seen_is_said(component: type, name: str, said: str) -> None:
    here = Path.cwd()
    (result,) = check(component, CLAIMS, only=[name]).results
    assert result.detail == said
    assert Path.cwd() == here


def test_the_folders_of_the_checks_are_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert check(Lines, CLAIMS).passed
    assert list(tmp_path.iterdir()) == []
