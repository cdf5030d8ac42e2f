"""A run file from Python: train it with a loop of your own, then draw samples.

    python examples/train_in_python.py examples/generator_only.toml 20

What `ebmkit run` adds is the run folder: checkpoints, metrics, pictures, the guard against divergence.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import ebmkit
from ebmkit.core import Rng
from ebmkit.report import save_grid
from ebmkit.run.build import build_experiment
from ebmkit.training.loop import train


def main(file: str, iterations: int) -> None:
    """Train, print the figures of every iteration, and write 16 samples to ``samples.png``."""
    experiment = build_experiment(ebmkit.load_plan(file, overrides={"run.device": "cpu"}))
    for report in train(experiment, iterations=iterations):
        metrics = report.metrics()
        print(
            report.iteration, {name: round(metrics[name], 3) for name in sorted(metrics) if "error" in name}
        )
    with torch.no_grad():
        samples = experiment.schedule.eval().propose(16, rng=Rng(1)).x
    save_grid(Path("samples.png"), samples)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
