"""How many trainings that diverge finish by themselves: ``python -m tests.reliability.divergence [SEEDS]``.

The same run, seed by seed, with the guard off, with its signs alone, and with rollbacks of several kinds.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console

from ebmkit.config import GuardTable, read_document
from ebmkit.config.plan import make_plan
from ebmkit.errors import DivergedError
from ebmkit.registry.discovery import Registry
from ebmkit.run.start import start_run
from ebmkit.storage.folder import RunFolder

RUN_FILE = """
[run]
iterations = 100
log_every = 1000
samples_every = 1000
checkpoint_every = 10
device = "cpu"

[data]
use = "faces"
size = 8
batch = 16

[energy]
use = "descriptor"
channels = [8, 16]
kernels = [3, 3]
strides = [2, 1]
outputs = 8
reference_std = 1.0         # hardly a reference: nothing holds the chains but what is learned
optimizer = { use = "adam", lr = 3e-2 }

[generator]
use = "generator"
latents = 8
channels = [16]
kernel = 4
norm = "none"
optimizer = { use = "adam", lr = 2e-3 }

[revision]
use = "langevin"
steps = 5
step_size = 0.1

[schedule]
use = "coopnets"
chains = 16

[guard]
healthy_after = 10
"""

NO_SIGNS = ["guard.energy_limit=1e30", "guard.roughness_limit=1e30", "guard.saturation_limit=1"]

WAYS: Mapping[str, Sequence[str]] = {
    "guard off": ["guard.rollbacks=0", *NO_SIGNS],
    "rollbacks": [],
    "rollbacks that ease": ["guard.rate_factor=0.5", "guard.step_factor=0.7"],
}
"""What is set in ``[guard]``; off, a run still ends when a number is not finite or the chains ran away."""


class Outcome(NamedTuple):
    """How a run ended: with its last iteration or not, with images like the data or not; its rollbacks."""

    finished: bool
    healthy: bool
    rollbacks: int


def outcomes(settings: Sequence[str], *, seeds: int) -> Iterator[Outcome]:
    """The run with each of the seeds 0, 1, …"""
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as name:
            yield outcome(Path(name), [*settings, f"run.seed={seed}"])


def outcome(folder: Path, settings: Sequence[str]) -> Outcome:
    """One run in a new folder."""
    file, run = folder / "run.toml", RunFolder(folder / "run")
    file.write_text(RUN_FILE)
    plan = make_plan(read_document(file, settings), Registry.discover())
    try:
        finished = start_run(plan, run, Console(file=io.StringIO())) == 0
    except DivergedError:
        finished = False
    rollbacks = run.rollbacks.read_text().count("\n") if run.rollbacks.exists() else 0
    return Outcome(finished, finished and _healthy(run), rollbacks)


def _healthy(run: RunFolder) -> bool:
    """Whether the last images bear no sign of divergence, by the guard's own limits."""
    last, limits = json.loads(run.metrics.read_text().splitlines()[-1]), GuardTable()
    signs = (last["roughness"] / limits.roughness_limit, last["saturation"] / limits.saturation_limit)
    return max(signs) <= 1


if __name__ == "__main__":
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(f"{f'of {count} seeds':<32}{'finished':>10}{'healthy':>10}{'rollbacks':>10}")  # noqa: T201
    for way, chosen in WAYS.items():
        finished, healthy, rollbacks = (
            sum(each) for each in zip(*outcomes(chosen, seeds=count), strict=True)
        )
        print(f"{way:<32}{finished:>10}{healthy:>10}{rollbacks:>10}", flush=True)  # noqa: T201
