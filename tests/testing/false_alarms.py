"""Count false alarms of right samplers: ``python -m tests.testing.false_alarms [SEEDS] [NAME ...]``.

Every installed sampler and every original of the mutants runs the kit's statistics once for each
seed. At the stated rate of 1e-5 a run, 200 seeds of a dozen samplers give one alarm in 40 sweeps.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from ebmkit.registry.discovery import Registry
from ebmkit.testing import CHECKS, Claims, Report, check
from tests.testing.mutants import (
    ADJUSTED,
    EULER,
    HAMILTONIAN,
    INERTIAL,
    STRIDES,
    Adjusted,
    Euler,
    Hamiltonian,
    Inertial,
    Strides,
)

LAWS = [name for name in CHECKS["sampler"] if name.startswith("law-")]

RIGHT: dict[str, tuple[Callable[..., Any], Claims | None]] = {
    "Euler": (Euler, EULER),
    "Adjusted": (Adjusted, ADJUSTED),
    "Hamiltonian": (Hamiltonian, HAMILTONIAN),
    "Inertial": (Inertial, INERTIAL),
    "Strides": (Strides, STRIDES),
    **{each.name: (each.factory, None) for each in Registry.discover().components("sampler")},
}


def alarms(name: str, seeds: range) -> list[Report]:
    """The reports that fail."""
    component, claims = RIGHT[name]
    failed = []
    for seed in seeds:
        report = check(component, claims, quick=True, seed=seed, only=LAWS)
        failed += [] if report.passed else [report]
        sys.stderr.write(f"\r{name}: {len(failed)} alarms after seed {seed} ")
    return failed


def main() -> None:
    """One line a sampler; exit code 1 after an alarm."""
    torch.set_num_threads(1)
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    total = 0
    for name in sys.argv[2:] or RIGHT:
        begin = time.perf_counter()
        failed = alarms(name, seeds)
        seconds = (time.perf_counter() - begin) / max(len(seeds), 1)
        total += len(failed)
        sys.stdout.write(f"{name}: {len(failed)} alarms in {len(seeds)} seeds, {seconds:.1f} s each\n")
        sys.stdout.writelines(f"  seed {report.seed}: {report}\n" for report in failed)
        sys.stdout.flush()
    sys.exit(bool(total))


if __name__ == "__main__":
    main()
