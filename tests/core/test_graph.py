"""Chains in strides. What a GPU captures runs here on the CPU again and again over the same memory."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import attrs
import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
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
from ebmkit.core.graph.capturing import Held
from ebmkit.core.graph.compiling import Function
from ebmkit.core.graph.noise import KeyedRng, NotedRng, draw_words
from ebmkit.core.graph.recording import recorded
from ebmkit.core.graph.stride import Form, Strides
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
    """Makes graphs in the way of a GPU, whose replays call nobody's Python, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, function: Function, inputs: tuple[Tensor, ...]) -> Function:
        self.made += 1
        calls = recorded(function, [each.clone() for each in inputs])
        return Held(calls, tuple(each.clone() for each in inputs), rerun)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    monkeypatch.setattr(making, "compiled", recorder)
    graphs.forget()
    yield recorder
    graphs.forget()


def descriptor() -> LinearDescriptor:
    return LinearDescriptor(double(4), 0.5)


def test_keyed_streams_draw_what_was_noted_whoever_folds_them() -> None:
    def draws(rng: Rng) -> list[Tensor]:
        like = torch.empty(3, 5, dtype=torch.float64)
        inner = rng.fold_in("inner", 2)
        return [rng.normal(like), inner.uniform(like[:, :1]), rng.normal(like.float()), inner.normal(like)]

    noted = NotedRng(Rng(1))
    draws(noted)
    for rng in (Rng(7), Rng(2**64 - 1, first_chain=40).fold_in("elsewhere")):
        for step, words in enumerate(draw_words(rng, "step", range(3, 6), noted.draws), 3):
            for found, exact in zip(draws(KeyedRng(words)), draws(rng.fold_in("step", step)), strict=True):
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
        form = Form.found(sampler, energy, state, steps=20, inside=inside)
        function = Strides(sampler, energy, form)
        for random in form.random(rng, 80, x.device):
            state = form.outputs(function(*random, *state, energy.weight.detach())).state
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
        form = Form.found(sampler, energy, state, steps=2, inside=True)
        function = Strides(sampler, energy, form)
        words = next(form.random(Rng(0), 2, x.device))
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


class Settings:
    """A class that only holds numbers."""

    tilt = 0.0


OFFSET = [0.0]


class Varied(LinearDescriptor):
    """An energy that reads numbers everywhere."""

    slope = 1.0

    def __init__(self) -> None:
        super().__init__(double(4), 0.5)
        self.numbers = {"scale": [1.0]}
        self.shift = torch.zeros(4, dtype=torch.float64)
        self.register_buffer("mask", torch.ones(4, dtype=torch.float64))
        self.inner = nn.Softplus()

    def forward(self, x: Tensor) -> Tensor:
        scale = self.numbers["scale"][0] * self.slope + Settings.tilt + OFFSET[0] + getattr(math, "tilt", 0.0)
        return super().forward(scale * x * self.mask + self.shift) + self.inner(x).sum(1)


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


BAKED: dict[str, Callable[[int], slice]] = {
    "random numbers": lambda count: slice(0, 1),
    "a state": lambda count: slice(1, 2),
    "a weight": lambda count: slice(count - 1, count),
}


@pytest.mark.parametrize("what", BAKED)
def test_what_went_into_a_graph_as_a_constant_shows_before_its_first_use(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the inputs it was made of it is right."""

    def baked(function: Function, made_of: tuple[Tensor, ...]) -> Function:
        fixed = BAKED[what](len(made_of))

        def run(*inputs: Tensor) -> tuple[Tensor, ...]:
            given = [each.clone() for each in inputs]
            given[fixed] = [each.clone() for each in made_of[fixed]]
            return function(*given)

        assert all(map(torch.equal, run(*made_of), function(*made_of)))
        return run

    monkeypatch.setattr(making, "compiled", baked)
    graphs.forget()
    energy, x, sampler = descriptor(), double(6, 4, seed=1), Langevin(step_size=0.3)
    exact = run_chain(sampler, energy, x, steps=4, rng=Rng(5)).x
    with pytest.warns(RuntimeWarning, match="walk step by step: their graph moves them elsewhere"):
        assert torch.equal(run_chain(sampler, energy, x, steps=4, rng=Rng(5), graph=True).x, exact)
    graphs.forget()


CALLS: list[Tensor] = []


class Diary(LinearDescriptor):
    """Writes down what it is asked."""

    everywhere: list[Tensor] = CALLS

    def __init__(self) -> None:
        super().__init__(double(4), 0.5)
        self.seen: list[Tensor] = []
        self.count = 0
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x)
        self.everywhere.append(x)
        self.count += 1
        self.steps += 1
        return super().forward(x)


@pytest.mark.parametrize("graph", [False, True])
def test_an_energy_that_changes_as_it_is_asked_is_walked_and_sees_no_more_than_that(graph: bool) -> None:
    graphs.forget()
    CALLS.clear()
    energy, x = Diary(), double(6, 4, seed=1)
    expected = pytest.warns(RuntimeWarning, match="writes into a tensor that was there before")
    with expected if graph else nullcontext():
        run_chain(Langevin(step_size=0.3), energy, x, steps=4, rng=Rng(0), graph=graph)
    once_more = int(graph)  # of a copy, with true numbers
    assert len(energy.seen) == energy.count == int(energy.steps) == 4
    assert len(CALLS) == 4 + once_more
    assert {type(each) for each in CALLS} == {Tensor}
    graphs.forget()


def _remember(self: Any, x: Tensor) -> Tensor:
    self.last = x
    return LinearDescriptor.forward(self, x)


def _take_turns(self: Any, x: Tensor) -> Tensor:
    self.numbers["turn"] = self.numbers.get("turn", 0) + 1
    return LinearDescriptor.forward(self, x)


def _average(self: Any, x: Tensor) -> Tensor:
    self.mask = 0.9 * self.mask + 0.1 * x.detach().mean()
    return LinearDescriptor.forward(self, x)


@pytest.mark.parametrize(
    ("forward", "changed"), [(_remember, "of theirs"), (_take_turns, "numbers"), (_average, "its 'mask'")]
)
def test_what_an_energy_does_to_itself_is_named(
    forward: Callable[[Any, Tensor], Tensor], changed: str, recorder: Recorder
) -> None:
    kind = type("Restless", (Varied,), {"forward": forward, "__module__": __name__})
    x, sampler = double(6, 4, seed=1), Langevin(step_size=0.3)
    exact = run_chain(sampler, kind(), x, steps=4, rng=Rng(0)).x
    with pytest.warns(RuntimeWarning, match=f"walk step by step: .* changes .*{changed}"):
        assert torch.equal(run_chain(sampler, kind(), x, steps=4, rng=Rng(0), graph=True).x, exact)
    assert recorder.made == 0


class Noisy(LinearDescriptor):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.1 * torch.randn_like(x))


def test_an_energy_that_draws_by_itself_is_walked_with_the_numbers_it_would_draw(recorder: Recorder) -> None:
    energy, x, sampler = Noisy(double(4), 0.5), double(6, 4, seed=1), Langevin(step_size=0.3)
    torch.manual_seed(0)
    exact = run_chain(sampler, energy, x, steps=4, rng=Rng(0)).x
    torch.manual_seed(0)
    with pytest.warns(RuntimeWarning, match="draws from torch's own random numbers"):
        assert torch.equal(run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True).x, exact)


def test_batch_statistics_and_modes_stay_as_they_are(recorder: Recorder) -> None:
    class Normed(LinearDescriptor):
        def __init__(self) -> None:
            super().__init__(double(4), 0.5)
            self.norm = nn.BatchNorm1d(4).double()

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(self.norm(x))

    energy, x, sampler = Normed().train(), double(6, 4, seed=1), Langevin(step_size=0.3)
    energy.norm.running_mean.fill_(0.5)
    before = {name: value.clone() for name, value in energy.state_dict().items()}
    exact = run_chain(sampler, energy, x, steps=4, rng=Rng(0)).x
    assert torch.equal(run_chain(sampler, energy, x, steps=4, rng=Rng(0), graph=True).x, exact)
    assert graphs.kept() == [True]
    assert all(torch.equal(value, before[name]) for name, value in energy.state_dict().items())
    assert [each.training for each in energy.modules()] == [True, True]


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
