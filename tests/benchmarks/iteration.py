"""Speed of a whole iteration of cooperative training against a loop as it is usually written.

    python -m tests.benchmarks.iteration                         # 100 images and 100 chains, some minutes
    python -m tests.benchmarks.iteration 32 --precision fp32 --rounds 7

The nets are those of pytorch-CoopNets for 64x64 scenes, with ten Langevin steps and known latents. The loop
does what that repository's does, with torch's own optimizer: ``.backward()`` in the chain, so that weight
gradients are formed and dropped, and a second forward pass of the generator. ebmkit's side is ``train``.
Both run in one process with the same threads and allocator, and take turns. Neither logs.

Beside it: what it costs to keep the graph of the proposals until the generator learns from them.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator
from itertools import repeat
from statistics import median

import torch
from torch import Tensor, nn

from ebmkit.core import Chain, Precision, Rng, Source
from ebmkit.training.batches import Batches
from ebmkit.training.loop import Experiment, Learner, train
from ebmkit_convnets.generator import ConvGenerator
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_langevin.langevin import Langevin
from ebmkit_optim.adam import Adam
from tests.benchmarks.nets import Net, build
from tests.benchmarks.ratios import machine
from tests.benchmarks.rounds import ratio, take_turns

SHAPE, STEPS, STEP_SIZE, RATE = (3, 64, 64), 10, 0.002, 1e-4
LOOP = "loop with .backward()"


class Images(Source):
    """Noise in the shape of images."""

    shape = SHAPE

    def __init__(self, count: int) -> None:
        self.x = Rng(1).uniform(torch.empty(count, *SHAPE)) * 2 - 1

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self.x[index]


def nets() -> tuple[Net, ConvGenerator]:
    energy = build("coop")
    return energy, ConvGenerator(SHAPE, norm="batch")


def usual(
    energy: Net,
    generator: nn.Module,
    batches: Iterator[Tensor],
    *,
    chains: int,
    rates: tuple[float, float] = (RATE, RATE),
) -> Iterator[None]:
    """The loop of pytorch-CoopNets, one item an iteration; rates of the energy and of the generator."""
    of_energy, of_generator = (
        torch.optim.Adam(each.parameters(), rate, betas=(0.5, 0.999))
        for each, rate in zip((energy, generator), rates, strict=True)
    )
    score, variance = energy.score, energy.reference_std**2
    for observed in batches:
        z = torch.randn(chains, 100)
        x = generator(z).detach()
        for _ in range(STEPS):
            x = x.detach().requires_grad_()
            score(x).sum().backward()
            assert x.grad is not None
            x = x.detach() - 0.5 * STEP_SIZE**2 * (x.detach() / variance - x.grad)
            x = x + STEP_SIZE * torch.randn(x.shape)
        loss = (score(x).mean(0) - score(observed).mean(0)).sum()
        of_energy.zero_grad()
        loss.backward()
        of_energy.step()
        error = (generator(z) - x).square().sum() / (2 * 0.3**2 * len(x))
        of_generator.zero_grad()
        error.backward()
        of_generator.step()
        yield


def ours(energy: Net, generator: ConvGenerator, source: Images, precision: Precision) -> Experiment:
    schedule = CoopNets(energy, generator, Chain(Langevin(step_size=STEP_SIZE), STEPS))
    learners = {
        name: Learner(schedule.get_submodule(name), Adam(lr=RATE)) for name in ("energy", "generator")
    }
    batches = Batches(source, size=len(source), rng=Rng(2), device=torch.device("cpu"))
    return Experiment(schedule, learners, batches, Rng(0), precision)


def kept_bytes(generator: nn.Module, z: Tensor) -> int:
    """What the graph of ``generator(z)`` holds beside its weights."""
    weights = {each.untyped_storage().data_ptr() for each in generator.parameters()}
    held: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = generator(z)
    del result
    return sum(held.values())


def main() -> None:
    """Print one table."""
    options = _options()
    source, (energy, generator) = Images(options.batch), nets()
    loop = usual(copy.deepcopy(energy), copy.deepcopy(generator), repeat(source.x), chains=len(source))
    contestants: dict[str, Callable[[], object]] = {LOOP: lambda: next(loop)}
    seconds: dict[str, list[dict[str, float]]] = {}
    for precision in options.precision:
        experiment = ours(copy.deepcopy(energy), copy.deepcopy(generator), source, precision)
        stages = seconds[f"ebmkit {precision}"] = []
        contestants[f"ebmkit {precision}"] = _turn(experiment, stages)
    times = take_turns(contestants, rounds=options.rounds, between=lambda: None)
    print(machine())  # noqa: T201
    print("| images, chains | contestant | s an iteration | x loop | stages, s |\n|---|---|---|---|---|")  # noqa: T201
    for name, each in times.items():
        told = _told(seconds.get(name, []))
        print(f"| {options.batch} | {name} | {median(each):.3g} | {ratio(times, name, LOOP)} | {told} |")  # noqa: T201
    kept = kept_bytes(generator, Rng(0).normal(torch.empty(options.batch, 100))) / 1e6
    print(f"\nThe graph of the proposals keeps {kept:.0f} MB ({kept / options.batch:.2f} an image).")  # noqa: T201


def _turn(experiment: Experiment, stages: list[dict[str, float]]) -> Callable[[], None]:
    reports = train(experiment, iterations=10**9)
    return lambda: stages.append(dict(next(reports).seconds))


def _told(stages: list[dict[str, float]]) -> str:
    names = stages[0] if stages else ()
    return ", ".join(f"{name} {median(each[name] for each in stages):.2f}" for name in names)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("batch", nargs="?", type=int, default=100, help="images, and chains")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", nargs="*", default=("fp32", "bf16"), choices=("fp32", "mixed", "bf16"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
