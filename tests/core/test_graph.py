"""Chains in strides. What a GPU captures runs here on the CPU again and again over the same memory."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrize
from torch.utils._python_dispatch import TorchDispatchMode

from ebmkit.core import (
    Chain,
    Energy,
    EnergyFn,
    Info,
    Position,
    Rng,
    Sampler,
    State,
    run_chain,
    value_and_gradient,
)
from ebmkit.core import graph as graphs
from ebmkit.core.algebra import Sum, Tempered, Weighted
from ebmkit.core.graph import making
from ebmkit.core.graph.compiling import Function
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.underdamped import Underdamped
from tests.core.graph.chains import OFFSET, SAMPLERS, Recorder, Settings, Varied, descriptor
from tests.models import LinearDescriptor, LinearGenerator, double


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

    def fails(*arguments: object) -> Function:
        raise RuntimeError("no compiler\nand more")

    def drifts(function: Function, inputs: tuple[Tensor, ...]) -> Function:
        return lambda *inputs: tuple(1.1 * each for each in function(*inputs))

    exact = run_chain(sampler, energy, x, steps=2, rng=Rng(0)).x
    for broken, message in ((fails, "no graph: RuntimeError: no compiler$"), (drifts, "elsewhere")):
        monkeypatch.setattr(making, "compiled", broken)
        graphs.forget()
        with pytest.warns(RuntimeWarning, match=message):
            assert torch.equal(run_chain(sampler, energy, x, steps=2, rng=Rng(0), graph=True).x, exact)
        assert torch.equal(run_chain(sampler, energy, x, steps=2, rng=Rng(0), graph=True).x, exact)
    graphs.forget()
    with pytest.warns(RuntimeWarning, match=r"not an nn\.Module"):
        run_chain(sampler, lambda x: x.sum(1), x, steps=2, rng=Rng(0), graph=True)
    monkeypatch.undo()
    for odd in (Shuffled(), Choosy(), Underdamped(step_size=0.2)):
        with pytest.warns(RuntimeWarning, match=f"{type(odd).__name__} walk step by step"):
            moved = run_chain(odd, energy, x, steps=34, rng=Rng(0), graph=True).x
        assert torch.equal(moved, run_chain(odd, energy, x, steps=34, rng=Rng(0)).x)
    graphs.forget()


Change = Callable[[Varied, pytest.MonkeyPatch], object]


def doubled(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0] * 2,)


CHANGES: dict[str, Change] = {
    "an attribute": lambda e, m: setattr(e, "reference_std", 0.9),
    "a list in a dictionary": lambda e, m: e.numbers["scale"].__setitem__(0, 2.0),
    "a tensor that is no buffer": lambda e, m: e.shift.data.add_(1.0),
    "a buffer": lambda e, m: e.mask.zero_(),
    "a buffer that is another": lambda e, m: setattr(e, "mask", double(4, seed=9)),
    "a class attribute": lambda e, m: m.setattr(Varied, "slope", 2.0),
    "a class": lambda e, m: m.setattr(Settings, "tilt", 0.5),
    "a global": lambda e, m: OFFSET.__setitem__(0, 0.5),
    "a layer": lambda e, m: setattr(e, "inner", nn.Softplus(beta=3.0)),
    "forward": lambda e, m: setattr(e, "forward", lambda x: x.square().sum(1)),
    "a hook before forward": lambda e, m: e.register_forward_pre_hook(doubled),
    "a hook before that of a layer": lambda e, m: e.inner.register_forward_pre_hook(doubled),
    "a hook": lambda e, m: e.inner.register_forward_hook(lambda module, inputs, output: 2 * output),
    "a backward hook": lambda e, m: e.inner.register_full_backward_hook(
        lambda module, inputs, outputs: (2 * inputs[0],)
    ),
    "a parametrization": lambda e, m: parametrize.register_parametrization(e, "weight", nn.Softplus()),
    "what nobody sees": lambda e, m: m.setattr(math, "tilt", 0.5, raising=False),
}


@pytest.mark.filterwarnings("ignore:chains of Langevin walk step by step")
@pytest.mark.parametrize("what", CHANGES)
def test_a_graph_gives_what_walking_gives_whatever_changed(
    what: str, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    energy, x, sampler = Varied(), double(6, 4, seed=1), Langevin(step_size=0.3)
    before = run_chain(sampler, energy, x, steps=4, rng=Rng(0)).x
    assert torch.equal(run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True).x, before)
    assert (recorder.made, graphs.kept()) == (1, [True])
    try:
        CHANGES[what](energy, monkeypatch)
        exact = run_chain(sampler, energy, x, steps=4, rng=Rng(0)).x
        assert not torch.equal(exact, before)
        assert torch.equal(run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True).x, exact)
    finally:
        OFFSET[0] = 0.0


def test_hooks_of_all_modules_are_called_at_every_step(recorder: Recorder) -> None:
    energy, x, sampler = Varied(), double(6, 4, seed=1), Langevin(step_size=0.3)
    run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True)
    called: list[object] = []
    handle = register_module_forward_hook(lambda *arguments: called.append(arguments[0]))
    try:
        with pytest.warns(RuntimeWarning, match="walk step by step: hooks of all modules are registered"):
            run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True)
    finally:
        handle.remove()
    assert called.count(energy) >= 4


def test_another_answer_of_a_chain_means_walking_from_then_on(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    energy, x, sampler = Varied(), double(6, 4, seed=1), Langevin(step_size=0.3)
    run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True)
    monkeypatch.setattr(math, "tilt", 0.5, raising=False)
    with pytest.warns(RuntimeWarning, match="walk step by step: their graph has another energy$"):
        run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True)
    assert graphs.kept() == [False]
    exact = run_chain(sampler, energy, x, steps=4, rng=Rng(1)).x
    assert torch.equal(run_chain(sampler, energy, x, steps=4, rng=Rng(1), graph=True).x, exact)
    assert recorder.made == 1


class Halved(LinearDescriptor):
    """Its gradient is that of another energy, where nobody sees it asked for."""

    def forward(self, x: Tensor) -> Tensor:
        value = super().forward(x)
        return value / 2 + value.detach() / 2 if hasattr(math, "halved") else value


def test_a_gradient_that_goes_astray_is_seen_at_the_end_of_its_chain(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    energy, x, sampler = Halved(double(4), 0.5), double(6, 4, seed=1), Langevin(step_size=0.3)
    run_chain(sampler, energy, x, steps=400, rng=Rng(0), graph=True)
    monkeypatch.setattr(math, "halved", True, raising=False)
    with pytest.warns(RuntimeWarning, match="their graph has another gradient than autograd"):
        found = run_chain(sampler, energy, x, steps=400, rng=Rng(1), graph=True)
    assert torch.equal(found.x, run_chain(sampler, energy, x, steps=400, rng=Rng(1)).x)


class Mixed(LinearDescriptor):
    """float32 in, float64 inside."""

    def __init__(self) -> None:
        super().__init__(double(4), 0.5)
        self.layer = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.double()).float() + self.layer(x).squeeze(1)


@attrs.frozen(kw_only=True)
class Careless(Sampler):
    """Writes into the numbers that it drew."""

    def step(self, energy: EnergyFn, state: Position, rng: Rng) -> tuple[State, Info]:
        noise = rng.normal(state.x).mul_(0.1)
        return Position(state.x - 0.1 * value_and_gradient(energy, state.x).gradient + noise), {}


def test_odd_energies_and_samplers_walk_or_give_the_same(recorder: Recorder) -> None:
    x = double(6, 4, seed=1)
    for sampler, energy, start in (
        (Langevin(step_size=0.3), Mixed(), x.float()),
        (Careless(), descriptor(), x),
        (Langevin(step_size=0.3), Tempered(Sum({"one": Weighted(descriptor(), 0.5)}), temperature=2.0), x),
    ):
        for key in (0, 1):
            exact = run_chain(sampler, energy, start, steps=4, rng=Rng(key)).x
            found = run_chain(sampler, energy, start, steps=4, rng=Rng(key), graph=True).x
            assert torch.allclose(found, exact, rtol=1e-5, atol=1e-6)
    assert graphs.kept() == [True] * 3


def test_chains_that_run_away_stay_with_those_that_walk(recorder: Recorder) -> None:
    energy, x, sampler = descriptor(), double(6, 4, seed=1), Langevin(step_size=0.3)
    x[2], x[4] = torch.nan, torch.inf
    exact = run_chain(sampler, energy, x, steps=4, rng=Rng(0)).x
    found = run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True).x
    assert graphs.kept() == [True]
    assert torch.equal(found.nan_to_num(), exact.nan_to_num())


class Counting(TorchDispatchMode):
    products = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.products += func is torch.ops.aten.mv.default
        return func(*args, **(kwargs or {}))


def test_somebody_who_watches_every_operation_sees_every_step(recorder: Recorder) -> None:
    energy, x = descriptor(), double(6, 4, seed=1)
    counter = Counting()
    with counter, pytest.warns(RuntimeWarning, match="somebody watches every operation"):
        run_chain(Langevin(step_size=0.3), energy, x, steps=2, rng=Rng(0), graph=True)
    assert counter.products >= 2


@pytest.mark.parametrize("energies", [1, 3])
def test_threads_walk_in_graphs_at_once(energies: int, recorder: Recorder) -> None:
    """All in one graph, or each in one that it makes while the others do."""
    stds = [0.5, 0.6, 0.7][:energies] * (3 // energies)
    x, sampler = double(6, 4, seed=1), Langevin(step_size=0.3)
    exact = [
        run_chain(sampler, LinearDescriptor(double(4, seed=key), std), x, steps=20, rng=Rng(key)).x
        for key, std in enumerate(stds)
    ]
    begin = threading.Barrier(len(stds))

    def walk(key: int) -> list[Tensor]:
        begin.wait()
        energy = LinearDescriptor(double(4, seed=key), stds[key])
        return [run_chain(sampler, energy, x, steps=20, rng=Rng(key), graph=True).x for _ in range(10)]

    with ThreadPoolExecutor(len(stds)) as pool:
        found = list(pool.map(walk, range(len(stds))))
    assert all(torch.equal(each, exact[key]) for key, of_thread in enumerate(found) for each in of_thread)
    assert recorder.made == energies


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


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_others_train_while_a_chain_is_compiled() -> None:
    """The compiler exchanges methods of nn.Module for the whole process while it works."""
    graphs.forget()
    net, x = Mlp(), Rng(3).normal(torch.empty(50, 2))
    weights = {name: value.detach().clone() for name, value in net.named_parameters()}
    done = threading.Event()

    def train(until: Callable[[int], bool]) -> list[float]:
        net.load_state_dict(weights)
        optimizer = torch.optim.SGD(net.parameters(), 1e-3)
        losses: list[float] = []
        while not until(len(losses)):
            optimizer.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def sample(energy: Mlp, chain: Chain) -> Tensor:
        return chain(energy, Rng(1).normal(torch.empty(100, 2)), rng=Rng(1)).x

    chain = Chain(Langevin(step_size=0.3), 20, graph=True)
    other = Chain(Langevin(step_size=0.2), 20, graph=True)
    with ThreadPoolExecutor(3) as pool:
        training = pool.submit(train, lambda taken: taken >= 1 and (done.is_set() or taken == 20_000))
        sampling = [pool.submit(sample, Mlp(), each) for each in (chain, other)]
        found = [each.result() for each in sampling]
        done.set()
        losses = training.result()
    assert graphs.kept() == [True, True]
    for moved, each in zip(found, (chain, other), strict=True):
        assert torch.allclose(moved, sample(Mlp(), attrs.evolve(each, graph=False)), atol=1e-5)
    assert len(losses) > 100
    assert losses == train(lambda taken: taken == len(losses))
    graphs.forget()
