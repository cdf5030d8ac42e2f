"""Wrong trackers."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebmkit.core import Tracker
from ebmkit.testing import TrackerClaims
from tests.testing.wrong import wrong

CLAIMS = TrackerClaims()


class Lines(Tracker):
    """Right: lines of JSON in a folder of its own."""

    last = 0

    def start(self, *, name: str, folder: Path, config: Mapping[str, Any], iteration: int) -> None:
        self.file = self.place(folder)
        self.begin(name, iteration, config)

    def place(self, folder: Path) -> Path:
        (folder / "lines").mkdir(exist_ok=True)
        return folder / "lines" / "lines.jsonl"

    def begin(self, name: str, iteration: int, config: Any) -> None:
        self.write({"name": name, "from": iteration, "config": config})

    def metrics(self, iteration: int, values: Any) -> None:
        self.write({"iteration": iteration, **{name: self.number(each) for name, each in values.items()}})

    def number(self, value: float) -> Any:
        return value if math.isfinite(value) else str(value)

    def images(self, iteration: int, name: str, examples: Tensor) -> None:
        self.write(
            {"iteration": iteration, name: [float(each) for each in self.bytes(examples).mean((1, 2, 3))]}
        )

    def bytes(self, examples: Tensor) -> Tensor:
        return examples.add(1).mul(127.5)

    def write(self, line: Any) -> None:
        with self.file.open("a") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    def finish(self, status: str) -> None:
        self.write({"status": status})


@wrong(CLAIMS, "run")
class FiniteNumbersAlone(Lines):
    """JSON without NaN: a diverging run takes the tracker down, when it is wanted most."""

    def number(self, value: float) -> Any:
        return value


@wrong(CLAIMS, "run")
class ColoursAlone(Lines):
    """Weighs three colours."""

    def bytes(self, examples: Tensor) -> Tensor:
        red, green, blue = super().bytes(examples).unbind(1)
        return (0.3 * red + 0.6 * green + 0.1 * blue)[:, None]


@wrong(CLAIMS, "run")
class FourImages(Lines):
    """Always lays out four images."""

    def bytes(self, examples: Tensor) -> Tensor:
        return super().bytes(examples).unflatten(0, (2, 2)).flatten(0, 1)


@wrong(CLAIMS, "resume")
class MakesItsFolderOnce(Lines):
    """Fails where its folder is there already."""

    def place(self, folder: Path) -> Path:
        (folder / "lines").mkdir()
        return folder / "lines" / "lines.jsonl"


@wrong(CLAIMS, "resume")
class NeverGoesBack(Lines):
    """Refuses an iteration that was recorded before, as after a rollback."""

    def metrics(self, iteration: int, values: Any) -> None:
        lines = [json.loads(line) for line in self.file.read_text().splitlines()]
        if any(line.get("iteration", 0) >= iteration for line in lines):
            raise ValueError(f"{iteration} is over")
        super().metrics(iteration, values)


@wrong(CLAIMS, "failure")
class FinishNeedsAFigure(Lines):
    """Closes with the last figures, which a run that fails at once has not."""

    def metrics(self, iteration: int, values: Any) -> None:
        super().metrics(iteration, values)
        self.loss = values["loss_energy"]

    def finish(self, status: str) -> None:
        self.write({"status": status, "loss": self.loss})


@wrong(CLAIMS, "harmless")
class ChangesTheFolder(Lines):
    """Goes into the run's folder and stays there."""

    def place(self, folder: Path) -> Path:
        os.chdir(folder)
        return Path("lines.jsonl")


@wrong(CLAIMS, "harmless")
class NamesByChance(Lines):
    """A random name from Python's global generator."""

    def begin(self, name: str, iteration: int, config: Any) -> None:
        super().begin(f"{name}-{random.randrange(10**6)}", iteration, config)


@wrong(CLAIMS, "harmless")
class SeedsTorch(Lines):
    """Seeds torch for its choice of images to show."""

    def bytes(self, examples: Tensor) -> Tensor:
        torch.manual_seed(0)
        return super().bytes(examples[torch.randperm(len(examples))])


@wrong(CLAIMS, "harmless")
class ScalesInPlace(Lines):
    """``add_`` and ``mul_`` on the images that the run shows elsewhere too."""

    def bytes(self, examples: Tensor) -> Tensor:
        return examples.add_(1).mul_(127.5)


@wrong(CLAIMS, "harmless")
class TakesTheTime(Lines):
    """Pops a figure, which the recorders after it do not get."""

    def metrics(self, iteration: int, values: Any) -> None:
        seconds = values.pop("seconds")
        super().metrics(iteration, {**values, "time": seconds})


@wrong(CLAIMS, "harmless")
class FlattensTheSettings(Lines):
    """Takes the run's table out of the settings that it is given."""

    def begin(self, name: str, iteration: int, config: Any) -> None:
        super().begin(name, iteration, config.pop("run", {}))


@wrong(CLAIMS, "harmless")
class WritesOverTheRun(Lines):
    """Names its file as the run does its own."""

    def place(self, folder: Path) -> Path:
        return folder / "metrics.jsonl"


@wrong(CLAIMS, "parameters")
class Undocumented(Lines):
    """A key without a line."""

    def __init__(self, *, every: int = 1) -> None:
        self.every = every
