"""Seconds of training until samples are as good as those of the usual loop after its time.

    python -m tests.benchmarks.time_to_quality FACES.zip                              # 40 minutes for each
    python -m tests.benchmarks.time_to_quality FACES.zip --recipe my.toml --minutes 5 --every 30
    OMP_NUM_THREADS=1 python -m tests.benchmarks.time_to_quality FACES.zip --clock processor

FACES.zip holds colour photographs of 64x64. The contestants:

- the loop of pytorch-CoopNets with its nets for 64x64 and its settings (``iteration.usual``);
- ebmkit with the same nets from the same weights, and the same settings;
- each run file of ``--recipe``, whose ``[data]`` is replaced by these photographs.

All take turns in one process with the same threads: each trains for ``--every`` seconds, is judged, and the
next one is on. Who is ahead of the loop waits until the loop has caught up. Judging is outside every clock.
The measure is the KID on EfficientNet-Lite0 of ``--count`` samples against photographs that nobody learns
from; the same seed draws them each time.

The threshold is the usual loop's own: the median of its last three values. The time of a contestant is that
of the second of its first two neighbouring values that are not above it, so that one lucky value is not
enough; the loop's is found by the same rule. ``--clock processor`` counts seconds of the processor, which
other work on the machine does not lengthen; that is fair with one thread alone.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

import attrs
import torch

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Chain, CooperativeScheduler, Rng, Source
from ebmkit.core.averaging import take_averages
from ebmkit.errors import DivergedError
from ebmkit.evaluation.judge import Judge
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.training.batches import Batches
from ebmkit.training.loop import Experiment, Learner, train
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_evaluation.kid import Kid
from ebmkit_evaluation.lite0 import Lite0
from ebmkit_images.files import Zip
from ebmkit_langevin.langevin import Langevin
from ebmkit_optim.adam import Adam
from tests.benchmarks.iteration import STEP_SIZE, STEPS, nets, usual
from tests.benchmarks.ratios import machine

LOOP = "loop with .backward()"
RATES = (1e-2, 1e-4)
"""Of the energy and of the generator, as in pytorch-CoopNets' scenes."""
BATCH, CHAINS = 100, 144
HELD_OUT = 500
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}


@attrs.define
class Contestant:
    """Somebody who trains.

    Attributes:
        iterations: one item an iteration.
        judged: the schedule that stands for what has been learned, in eval mode.
        seconds: of training so far.
        done: iterations so far.
        curve: after each turn, the seconds so far and the KID.
        lost: whether it diverged.
        clock: what tells seconds.
    """

    iterations: Iterator[object]
    judged: Callable[[], CooperativeScheduler]
    seconds: float = 0.0
    done: int = 0
    curve: list[tuple[float, float]] = attrs.field(factory=list)
    lost: bool = False
    clock: Callable[[], float] = time.perf_counter

    def turn(self, seconds: float, judge: Judge, count: int) -> None:
        """Train for so long, then be judged."""
        begin = self.clock()
        try:
            while self.clock() - begin < seconds:
                next(self.iterations)
                self.done += 1
        except (DivergedError, StopIteration):
            self.lost = True
        self.seconds += self.clock() - begin
        kid = judge.judge(self.judged(), iteration=self.done, count=count).figures[0]
        self.curve.append((self.seconds, kid.value))

    def told(self) -> str:
        """Where it is."""
        return f"{self.done} iterations, {self.seconds:.0f} s, kid {self.curve[-1][1]:.1f}"


def time_to(threshold: float, curve: Sequence[tuple[float, float]]) -> float | None:
    """Seconds at the second of two neighbouring values not above the threshold; None without such."""
    for (_, before), (seconds, value) in pairwise(curve):
        if max(before, value) <= threshold:
            return seconds
    return None


def level(curve: Sequence[tuple[float, float]]) -> float:
    """Where a curve is: the median of its last three values."""
    return median(kid for _, kid in curve[-3:])


def on(contestants: Mapping[str, Contestant], seconds: float) -> Iterator[str]:
    """Whose turn it is: the loop's for so long, and theirs who are behind it and have not had more time."""
    loop = contestants[LOOP]
    if loop.seconds < seconds and not loop.lost:
        yield LOOP
    for name, each in contestants.items():
        behind = not each.curve or time_to(level(loop.curve), each.curve) is None
        if each is not loop and not each.lost and behind and each.seconds < max(loop.seconds, 1):
            yield name


def usual_loop(source: Source) -> Contestant:
    """pytorch-CoopNets; its samples are drawn as ebmkit draws those of the same nets."""
    energy, generator = nets()
    batches = Batches(source, size=BATCH, rng=Rng(2), device=torch.device("cpu"))
    observed = (batches[iteration].x for iteration in range(10**9))
    iterations = usual(energy, generator, observed, chains=CHAINS, rates=RATES)
    schedule = _schedule(energy, generator)
    return Contestant(iterations, lambda: copy.deepcopy(schedule).eval())


def same_nets(source: Source) -> Contestant:
    """The nets and settings of the usual loop, trained by ebmkit."""
    schedule = _schedule(*nets())
    learners = {
        name: Learner(schedule.get_submodule(name), Adam(lr=rate))
        for name, rate in zip(("energy", "generator"), RATES, strict=True)
    }
    batches = Batches(source, size=BATCH, rng=Rng(2), device=torch.device("cpu"))
    return _of(Experiment(schedule, learners, batches, Rng(0), "fp32"))


def _schedule(*parts: torch.nn.Module) -> CoopNets:
    energy, generator = parts
    return CoopNets(energy, generator, Chain(Langevin(step_size=STEP_SIZE), STEPS), chains=CHAINS)  # type: ignore[arg-type]


def recipe(file: Path, source: Source) -> Contestant:
    """A run file, with other data."""
    plan = make_plan(read_document(file), Registry.discover())
    return _of(build_experiment(plan, source=source))


def _of(experiment: Experiment) -> Contestant:
    def judged() -> CooperativeScheduler:
        schedule = copy.deepcopy(experiment.schedule).eval()
        take_averages(schedule, experiment.averages(), rng=Rng(0))
        return schedule

    return Contestant(train(experiment, iterations=10**9), judged)


def main() -> None:
    """Print the curve of each contestant as it grows, then one table."""
    options = _options()
    torch.manual_seed(1)
    source = Zip(path=options.photographs, skip=HELD_OUT)
    held_out = Zip(path=options.photographs, limit=HELD_OUT)
    judge = Judge(
        metrics={"kid": Kid()}, features=Lite0(), training=source, held_out=held_out, against="held-out"
    )
    contestants = {LOOP: usual_loop(source), "ebmkit, the same nets": same_nets(source)}
    contestants |= {file.name: recipe(file, source) for file in options.recipe}
    for each in contestants.values():
        each.clock = CLOCKS[options.clock]
    print(machine())  # noqa: T201
    while names := list(on(contestants, 60 * options.minutes)):
        for name in names:
            contestants[name].turn(options.every, judge, options.count)
            print(f"{name}: {contestants[name].told()}", flush=True)  # noqa: T201
    for line in table(contestants, options.count):
        print(line)  # noqa: T201


def table(contestants: dict[str, Contestant], count: int) -> Iterator[str]:
    """What came out."""
    threshold = level(contestants[LOOP].curve)
    took = time_to(threshold, contestants[LOOP].curve)
    yield f"\nkid(lite0-112, n = {count}) to reach: {threshold:.1f}\n"
    yield "| contestant | iterations | seconds to it | x loop | best |\n|---|---|---|---|---|"
    for name, each in contestants.items():
        found = time_to(threshold, each.curve)
        faster = f"{took / found:.2f}" if took and found else "-"
        seconds = "lost" if each.lost and not found else "-" if found is None else f"{found:.0f}"
        yield f"| {name} | {each.done} | {seconds} | {faster} | {min(kid for _, kid in each.curve):.1f} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", metavar="FACES.zip")
    parser.add_argument("--recipe", nargs="*", type=Path, default=(), metavar="FILE.toml")
    parser.add_argument("--minutes", type=float, default=40.0, help="of the usual loop")
    parser.add_argument("--every", type=float, default=120.0, help="seconds of a turn")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--count", type=int, default=256, help="samples of each evaluation")
    return parser.parse_args()


if __name__ == "__main__":
    main()
