"""Chains in strides. What a GPU captures runs here on the CPU again and again over the same memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import attrs
import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from ebmkit.core import Chain, Energy, EnergyFn, Info, Position, Rng, Sampler, State, run_chain
from ebmkit.core import graph as graphs
from ebmkit.core.rng import KeyedRng, NotedRng, draw_words
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.underdamped import Underdamped
from tests.models import LinearDescriptor, LinearGenerator, double

SAMPLERS: list[Sampler] = [
    Langevin(step_size=0.3),
    Langevin(step_size=0.3, noise=False),
    HMC(step_size=0.2, leapfrogs=3),
]

Run = Callable[[], tuple[Tensor, ...]]


def rerun(run: Run) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
    """In place of a CUDA graph: the results keep their memory, and a replay writes there again."""
    outputs = run()

    def replay() -> None:
        for place, value in zip(outputs, run(), strict=True):
            place.copy_(value)

    return replay, outputs


class Recorder:
    """Makes graphs in the way of a GPU, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, function: graphs.Function, inputs: tuple[Tensor, ...]) -> graphs.Function:
        self.made += 1
        return graphs.Held(function, tuple(each.clone() for each in inputs), rerun)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    monkeypatch.setattr(graphs, "compiled", recorder)
    graphs.forget()
    yield recorder
    graphs.forget()


def descriptor() -> LinearDescriptor:
    return LinearDescriptor(double(4), 0.5)


def test_keyed_streams_draw_what_was_noted_whoever_folds_them() -> None:
    def draws(rng: Rng) -> list[Tensor]:
        like = torch.empty(3, 5, dtype=torch.float64)
        inner = rng.fold("inner", 2)
        return [rng.normal(like), inner.uniform(like[:, :1]), rng.normal(like.float()), inner.normal(like)]

    noted = NotedRng(Rng(1))
    draws(noted)
    for rng in (Rng(7), Rng(2**64 - 1, first_chain=40).fold("elsewhere")):
        for step, words in enumerate(draw_words(rng, "step", range(3, 6), noted.draws), 3):
            for found, exact in zip(draws(KeyedRng(words)), draws(rng.fold("step", step)), strict=True):
                assert torch.equal(found, exact)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_strides_lead_where_steps_lead_bit_for_bit(sampler: Sampler, recorder: Recorder) -> None:
    energy, x = descriptor(), double(6, 4, seed=1)
    for key in (1, 2):
        exact = run_chain(sampler, energy, x, steps=46, rng=Rng(key, first_chain=9))
        found = run_chain(sampler, energy, x, steps=46, rng=Rng(key, first_chain=9), graph=True)
        assert torch.equal(found.x, exact.x)
        assert found.stats.keys() == exact.stats.keys()
        for name, value in exact.stats.items():
            assert float(found.stats[name]) == pytest.approx(float(value), rel=1e-5)
        assert found.start_energy is not None
        assert exact.start_energy is not None
        assert torch.equal(found.start_energy, exact.start_energy)
    assert recorder.made == 1
    assert graphs.stride_length(46) == 2


@pytest.mark.parametrize("inside", [True, False], ids=["drawn inside", "given"])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_a_stride_is_its_steps_wherever_its_numbers_are_drawn(sampler: Sampler, inside: bool) -> None:
    """Inside is the way of a GPU, given that of a CPU."""
    energy, x, rng = descriptor(), double(6, 4, seed=1), Rng(3, first_chain=9)
    with torch.no_grad():
        state = sampler.init(energy, x)
        function = graphs.Strides(sampler, energy, state, steps=20, rng=Rng(0), inside=inside)
        for random in function.random(rng, 80, x.device):
            state = function.outputs(function(*random, *state, energy.weight.detach())).state
    assert torch.equal(state.x, run_chain(sampler, energy, x, steps=80, rng=rng).x)


def test_a_graph_sees_the_weights_of_now(recorder: Recorder) -> None:
    energy, x, sampler = descriptor(), double(6, 4, seed=1), Langevin(step_size=0.3)
    before = run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True).x
    energy.weight.data += 1.0
    after = run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True).x
    assert not torch.equal(after, before)
    assert torch.equal(after, run_chain(sampler, energy, x, steps=4, rng=Rng(0)).x)
    assert recorder.made == 1


def test_another_sampler_shape_or_attribute_is_another_graph(recorder: Recorder) -> None:
    energy, x = descriptor(), double(6, 4, seed=1)

    def agrees(sampler: Sampler, x: Tensor) -> bool:
        exact = run_chain(sampler, energy, x, steps=2, rng=Rng(0)).x
        return torch.equal(run_chain(sampler, energy, x, steps=2, rng=Rng(0), graph=True).x, exact)

    assert agrees(Langevin(step_size=0.3), x)
    assert agrees(Langevin(step_size=0.2), x)
    assert agrees(Langevin(step_size=0.2), x[:5])
    energy.reference_std = 0.9
    assert agrees(Langevin(step_size=0.2), x[:5])
    assert recorder.made == 4


def test_every_iterations_posterior_runs_in_the_same_graph(recorder: Recorder) -> None:
    generator = LinearGenerator(double(4, 2), double(4, seed=1), 0.3)
    for seed in (2, 3):
        posterior, z = generator.posterior(double(5, 4, seed=seed)), double(5, 2, seed=seed + 2)
        exact = run_chain(Langevin(step_size=0.1), posterior, z, steps=6, rng=Rng(seed)).x
        found = run_chain(Langevin(step_size=0.1), posterior, z, steps=6, rng=Rng(seed), graph=True).x
        assert torch.equal(found, exact)
    assert recorder.made == 1


@pytest.mark.parametrize("sampler", SAMPLERS, ids=repr)
def test_strides_ask_the_host_for_nothing(sampler: Sampler) -> None:
    """Traced without data: a number that had to be read, or a tensor made on another device, would fail."""
    energy = ConvDescriptor((1, 8, 8), channels=(4,), kernels=(3,), strides=(1,), reference_std=0.5).eval()
    x = Rng(0).normal(torch.empty(3, 1, 8, 8))
    with torch.no_grad():
        state = sampler.init(energy, x)
        function = graphs.Strides(sampler, energy, state, steps=2, rng=Rng(0), inside=True)
        words = next(function.random(Rng(0), 2, x.device))
        weights = (each.detach() for each in energy.parameters())
        traced = make_fx(function, tracing_mode="fake")(*words, *state, *weights)
    called = {str(node.target) for node in traced.graph.nodes if node.op == "call_function"}
    assert "aten.convolution.default" in called
    assert not {name for name in called if "local_scalar" in name or "lift_fresh" in name}


@attrs.frozen(kw_only=True)
class Shuffled(Sampler):
    """Draws on the CPU."""

    def step(self, energy: EnergyFn, state: Position, rng: Rng) -> tuple[State, Info]:
        return Position(state.x + rng.permutation(2)[0]), {}


@attrs.frozen(kw_only=True)
class Choosy(Sampler):
    """Looks at its numbers to choose what to do."""

    def step(self, energy: EnergyFn, state: Position, rng: Rng) -> tuple[State, Info]:
        return Position(state.x + (1.0 if state.x.sum() > 0 else 2.0)), {}


def test_what_cannot_be_a_graph_is_walked_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    energy, x, sampler = descriptor(), double(6, 4, seed=1), Langevin(step_size=0.3)

    def fails(*arguments: object) -> graphs.Function:
        raise RuntimeError("no compiler\nand more")

    def drifts(function: graphs.Function, inputs: tuple[Tensor, ...]) -> graphs.Function:
        return lambda *inputs: tuple(1.1 * each for each in function(*inputs))

    exact = run_chain(sampler, energy, x, steps=2, rng=Rng(0)).x
    for broken, message in ((fails, "no graph: RuntimeError: no compiler$"), (drifts, "elsewhere")):
        monkeypatch.setattr(graphs, "compiled", broken)
        graphs.forget()
        with pytest.warns(RuntimeWarning, match=message):
            assert torch.equal(run_chain(sampler, energy, x, steps=2, rng=Rng(0), graph=True).x, exact)
        assert torch.equal(run_chain(sampler, energy, x, steps=2, rng=Rng(0), graph=True).x, exact)
    graphs.forget()
    with pytest.warns(RuntimeWarning, match=r"no nn\.Module"):
        run_chain(sampler, lambda x: x.sum(1), x, steps=2, rng=Rng(0), graph=True)
    monkeypatch.undo()
    for odd in (Shuffled(), Choosy(), Underdamped(step_size=0.2)):
        with pytest.warns(RuntimeWarning, match=f"{type(odd).__name__} walk step by step"):
            moved = run_chain(odd, energy, x, steps=34, rng=Rng(0), graph=True).x
        assert torch.equal(moved, run_chain(odd, energy, x, steps=34, rng=Rng(0)).x)
    graphs.forget()


class Mlp(Energy):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1) + x.square().sum(1) / 2


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_chain_ends_within_a_hundred_thousandth() -> None:
    graphs.forget()
    energy, x, chain = Mlp(), Rng(1).normal(torch.empty(100, 2)), Chain(Langevin(step_size=0.3), 20)
    for key in (1, 2):
        found = attrs.evolve(chain, graph=True)(energy, x, rng=Rng(key))
        exact = chain(energy, x, rng=Rng(key))
        assert torch.allclose(found.x, exact.x, atol=1e-5)
        assert not torch.equal(found.x, x)
        with torch.no_grad():
            energy.net[0].weight.mul_(1.5)
    assert graphs.kept() == [True]
    graphs.forget()
