"""What it costs to look at the parts of a run while it trains.

    python -m tests.benchmarks.inspection --rounds 9

An iteration and an inspection (``ebmkit.run.inspection``) take turns on one experiment in one process: of the
tiny run of the tests, and of ``examples/coopnets_faces.toml``. A run is looked at before its first
iteration, after the first three and after every thousandth.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.run.inspection import Inspector
from ebmkit.training.loop import train
from tests.benchmarks.ratios import machine
from tests.benchmarks.rounds import ratio, take_turns
from tests.conftest import RUN_FILES, write_images

FACES = Path(__file__).parents[2] / "examples/coopnets_faces.toml"
FIRST, LOOKS, EVERY = 100, 4, 1000
"""Of the first 100 iterations four are looked at, the start among them; then every thousandth."""


def measure(name: str, file: Path, *, rounds: int) -> str:
    """One row of the table."""
    plan = make_plan(read_document(file, ()), Registry.discover())
    experiment = build_experiment(plan)
    inspector, reports = Inspector(plan, experiment), train(experiment, iterations=10**9)
    turns = {"iteration": lambda: next(reports), "inspection": lambda: inspector.examine(0)}
    times = take_turns(turns, rounds=rounds, between=lambda: None)
    cost = ratio(times, "iteration", "inspection")
    milliseconds = (f"{1e3 * median(times[each]):.3g}" for each in turns)
    shares = (f"{100 * cost.middle * looks / span:.2g} %" for looks, span in ((LOOKS, FIRST), (1, EVERY)))
    return f"| {name} | {' | '.join([*milliseconds, str(cost), *shares])} |"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print(machine())  # noqa: T201
    print("| run | iteration, ms | inspection, ms | in iterations | of the first 100 | of a thousand |")  # noqa: T201
    print("|---|---:|---:|---|---:|---:|")  # noqa: T201
    with TemporaryDirectory() as folder:
        tiny = Path(folder) / "tiny.toml"
        tiny.write_text(RUN_FILES["coopnets"].replace("{images}", str(write_images(Path(folder) / "images"))))
        print(measure("tiny", tiny, rounds=10 * rounds))  # noqa: T201
        print(measure("faces", FACES, rounds=rounds))  # noqa: T201


if __name__ == "__main__":
    main()
