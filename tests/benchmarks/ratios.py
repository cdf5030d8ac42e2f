"""Speed of Langevin chains as paired ratios, with a check of what they compute beside each number.

    python -m tests.benchmarks.ratios                            # everything, some minutes
    python -m tests.benchmarks.ratios paper3:100 coop:100        # NET:BATCH
    python -m tests.benchmarks.ratios paper3:16 --precision bf16 --rounds 9 --steps 10

All contestants run in one process with the same threads and the same allocator, take turns, and see weights
that were touched since their last turn, as between two chains of a training; preparing them is inside the
time. A ratio is the median over rounds of the rival's time over ours. torchebm takes part if it is installed.
Gradient errors are relative to float64: of the median image; of the whole batch, where a ReLU whose input
rounds across zero counts; and of the median image after a fused optimizer changed the weights unseen. Mean
and variance of the noise are given in standard errors. For a graph: how far its chains end from those that
are walked, relative to how far they went.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Rng, computing_in
from tests.benchmarks.contestants import GRAPH, as_graph, contestants, ebmkit, native
from tests.benchmarks.nets import FUNCTIONS, SHAPES, Net, build
from tests.benchmarks.rounds import ratio, take_turns
from tests.benchmarks.truth import Truth, examine

CASES = (
    "paper3:100",
    "paper3:16",
    "paper5:100",
    "coop:100",
    "texture:4",
    "toy:100",
    "banana:100",
    "mixture:100",
)
STEPS = {"toy": 200, "banana": 200, "mixture": 200}
SMALL = ("toy",)
"""Nets on which graphs take part."""
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
RIVALS = ("plain loop", "torchebm")
HEAD = """\
| net, chains | contestant | ms a step | x plain loop | x torchebm | gradient error | noise |
|---|---|---|---|---|---|---|"""


def main() -> None:
    """Print one table."""
    options = _options()
    if options.memory_of:
        _walk_for_memory(options.memory_of, options.steps)
        return
    print(machine())  # noqa: T201
    print(HEAD)  # noqa: T201
    for case in options.cases:
        for row in rows(case, options):
            print(row, flush=True)  # noqa: T201
    if options.memory:
        print(memory("paper3:16"))  # noqa: T201


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", default=CASES, metavar="NET:BATCH", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="of a chain; by default 5, 200 of two numbers")
    parser.add_argument("--precision", nargs="*", default=(), choices=("mixed", "bf16"))
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor: where others work too")
    parser.add_argument("--memory", action="store_true", help="also memory after 10 and 300 steps")
    parser.add_argument("--memory-of", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def machine() -> str:
    """What the times depend on."""
    return (
        f"{_processor()}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))


def rows(case: str, options: argparse.Namespace) -> list[str]:
    """The lines of one net and batch."""
    energy, x = _problem(case)
    name = case.partition(":")[0]
    steps = options.steps or STEPS.get(name, 5)
    walks = contestants(tuple(options.precision), graph=name in SMALL, function=name in FUNCTIONS)
    times = take_turns(
        {name: lambda walk=walk: walk(energy, x, steps) for name, walk in walks.items()},  # type: ignore[misc]
        rounds=options.rounds,
        clock=CLOCKS[options.clock],
        between=lambda: touch(energy),
    )
    lines = []
    for name in walks:
        middle = sorted(times[name])[options.rounds // 2] / steps * 1e3
        against = [str(ratio(times, name, rival)) if rival in times else "-" for rival in RIVALS]
        truth = _told_of(name, case, steps) if name.startswith("ebmkit") else "- | -"
        lines.append(f"| {case} | {name} | {middle:.3g} | {' | '.join(against)} | {truth} |")
    return lines


def _told_of(name: str, case: str, steps: int) -> str:
    if name != GRAPH:
        return _told(_examine(name, case))
    energy, x = _problem(case)
    walked = ebmkit(energy, x, steps)
    return f"{float((as_graph(energy, x, steps) - walked).norm() / (walked - x).norm()):.0e} | as walked"


def _examine(name: str, case: str) -> Truth:
    precision = name.rpartition(" ")[2]
    with native("alone" not in name), computing_in(precision if precision in ("mixed", "bf16") else "fp32"):
        return examine(*_problem(case))


def _told(truth: Truth) -> str:
    stale = "" if truth.stale is None else f"; {truth.stale:.0e}"
    return (
        f"{truth.gradient:.0e}, {truth.batch:.0e}{stale} | "
        f"{truth.noise_mean:+.1f}, {truth.noise_variance:+.1f} σ"
    )


def _problem(case: str) -> tuple[EnergyFn, Tensor]:
    name, _, batch = case.partition(":")
    like = torch.empty(int(batch), *SHAPES[name])
    return build(name), Rng(1).uniform(like) * 2 - 1


def touch(energy: EnergyFn) -> None:
    """What an optimizer does between two chains, without moving anything."""
    with torch.no_grad():
        for parameter in energy.parameters() if isinstance(energy, Net) else ():
            parameter.mul_(1.0)


def memory(case: str) -> str:
    """Peak memory of a chain of 300 steps beside one of 10, each in a process of its own."""
    few, many = (_peak(case, steps) for steps in (10, 300))
    return f"\nPeak memory, {case}: {few:.0f} MB after 10 steps, {many:.0f} after 300 ({many / few - 1:+.1%})"


def _peak(case: str, steps: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.ratios", "--memory-of", case, "--steps", str(steps)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _walk_for_memory(case: str, steps: int) -> None:
    energy, x = _problem(case)
    ebmkit(energy, x, steps)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)  # noqa: T201


if __name__ == "__main__":
    main()
