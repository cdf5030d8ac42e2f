"""What every tracker must respect."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import torch

from ebmkit.config import signature_of
from ebmkit.core import Tracker
from ebmkit.testing.claims import TrackerClaims
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.randomness import unmoved
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand, same_bits

__all__ = ["CHECKS"]

TrackerSubject: TypeAlias = Subject[TrackerClaims]

_FIGURES = {"loss_energy": -1.5, "seconds": 0.25, "gradient_energy": math.inf, "acceptance": math.nan}

_CONFIG = {"run": {"seed": 0}, "energy": {"use": "descriptor", "channels": [4, 8]}}

_OWN = ("config.toml", "metrics.jsonl")
"""Files that a run writes into its folder."""


def _build(subject: TrackerSubject) -> Tracker:
    tracker = subject.make()
    demand(isinstance(tracker, Tracker), f"{type(tracker).__name__} does not inherit from Tracker")
    return tracker  # type: ignore[no-any-return]


def _watch(tracker: Tracker, folder: Path, *, begin: int = 0, iterations: int = 3) -> None:
    """A short run."""
    tracker.start(name="check", folder=folder, config=copy.deepcopy(_CONFIG), iteration=begin)
    for iteration in range(begin + 1, begin + iterations + 1):
        tracker.metrics(iteration, dict(_FIGURES))
        tracker.images(iteration, "revised", torch.zeros(4, 3, 8, 8))
        tracker.images(iteration, "observed", torch.ones(2, 1, 8, 8))
    tracker.finish("finished")


def parameters(subject: TrackerSubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    parts = [each.name for each in signature_of(subject.component).parts]
    demand(not parts, f"its constructor takes {', '.join(parts)}, which nobody hands in")
    return check_parameters(subject)


def run(subject: TrackerSubject) -> str:
    """It takes a whole run: figures that are not finite too, grey and coloured images."""
    with TemporaryDirectory(prefix="ebmkit-check-") as folder:
        _watch(_build(subject), Path(folder))
        written = [path for path in Path(folder).rglob("*") if path.is_file()]
    return f"{len(written)} files"


def resume(subject: TrackerSubject) -> str:
    """A new one goes on in the same folder, at an iteration that was recorded before."""
    with TemporaryDirectory(prefix="ebmkit-check-") as folder:
        _watch(_build(subject), Path(folder))
        _watch(_build(subject), Path(folder), begin=2)
    return ""


def failure(subject: TrackerSubject) -> str:
    """A run that fails before its first iteration is finished too."""
    with TemporaryDirectory(prefix="ebmkit-check-") as folder:
        tracker = _build(subject)
        tracker.start(name="check", folder=Path(folder), config={}, iteration=0)
        tracker.finish("failed")
    return ""


def harmless(subject: TrackerSubject) -> str:
    """It moves no global generator and leaves images, figures, settings, files and current folder alone."""
    here, config = Path.cwd(), copy.deepcopy(_CONFIG)
    images, figures = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), dict(_FIGURES)
    before = images.clone()
    with TemporaryDirectory(prefix="ebmkit-check-") as folder, unmoved():
        for name in _OWN:
            (Path(folder) / name).write_text("the run's own")
        tracker = _build(subject)
        tracker.start(name="check", folder=Path(folder), config=config, iteration=0)
        tracker.metrics(1, figures)
        tracker.images(1, "revised", images)
        tracker.finish("finished")
        changed = [name for name in _OWN if _text(Path(folder) / name) != "the run's own"]
        demand(not changed, f"it changes {', '.join(changed)} in the folder of the run")
        demand(Path.cwd() == here, f"it leaves the program in {Path.cwd()}")
    demand(same_bits(before, images), "it changes the images that it is shown")
    demand(repr(figures) == repr(_FIGURES), "it changes the figures that it is given")
    demand(config == _CONFIG, "it changes the settings that it is given")
    return ""


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


CHECKS = {
    "parameters": parameters,
    "run": run,
    "resume": resume,
    "failure": failure,
    "harmless": harmless,
}
