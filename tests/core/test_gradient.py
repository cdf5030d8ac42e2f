"""The seam through which chains get a faster gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    Chain,
    Energy,
    Gradient,
    Precision,
    Prepared,
    Rng,
    Sampler,
    ValueAndGradient,
    computing_in,
    gradient,
    prepare,
    run_chain,
    value_and_gradient,
)
from ebmkit.data import Batches
from ebmkit.optimizers import SGD
from ebmkit.training import Experiment, Learner, train
from ebmkit_coopnets.descriptor import DescriptorOnly
from ebmkit_langevin.langevin import Langevin
from tests.core.test_world import Ones

DESCENT: Sampler = Langevin(step_size=2**0.5, noise=False)


class Bowl(Energy):
    """|x|^2 / 2, with a parameter, and a gradient of its own that leaves a mark of 10."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.prepared_at: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x.square().sum(1) / 2

    def prepare(self, x: Tensor) -> Gradient:
        self.prepared_at.append(tuple(x.shape))
        scale = float(self.scale)
        return lambda x: ValueAndGradient(self(x).detach(), scale * x + 10)


class Plain(nn.Module):
    """A module that knows nothing about itself."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square().sum(1) / 2


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Entry points that the test may replace; what was found is forgotten before and after."""
    gradient._preparers.cache_clear()
    yield monkeypatch
    gradient._preparers.cache_clear()


def shifting(energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
    """Knows plain modules, and leaves a mark of 5."""
    if not isinstance(energy, Plain):
        return None
    return lambda x: ValueAndGradient(energy(x), x + 5)


def _offer(installed: pytest.MonkeyPatch, *points: str) -> None:
    found = [EntryPoint(f"point{i}", value, gradient.PREPARERS) for i, value in enumerate(points)]
    installed.setattr(gradient, "entry_points", lambda *, group: found)


def test_a_chain_asks_the_energy_once_and_walks_on_its_answer() -> None:
    energy = Bowl()
    moved = run_chain(DESCENT, energy, torch.ones(4, 2), steps=3, rng=Rng(0)).x
    assert energy.prepared_at == [(4, 2)]
    assert torch.equal(moved, torch.full((4, 2), -10.0))


def test_outside_a_chain_the_gradient_is_autograds() -> None:
    assert torch.equal(value_and_gradient(Bowl(), torch.ones(1, 2)).gradient, torch.ones(1, 2))


def test_states_of_another_shape_or_type_go_to_autograd() -> None:
    ready = prepare(Bowl(), torch.ones(4, 2))
    for x in (torch.ones(3, 2), torch.ones(4, 2, dtype=torch.float64)):
        assert torch.equal(ready.value_and_gradient(x).gradient, x)


def test_parameters_and_buffers_changed_in_place_are_noticed() -> None:
    energy = Bowl()
    ready = prepare(energy, torch.ones(4, 2))
    with torch.no_grad():
        energy.scale.mul_(3)
    assert torch.equal(ready.value_and_gradient(torch.ones(4, 2)).gradient, torch.full((4, 2), 13.0))
    assert len(energy.prepared_at) == 2


def test_what_is_prepared_stays_as_it_is_and_can_be_called() -> None:
    ready = prepare(Bowl(), torch.ones(4, 2))
    assert prepare(ready, torch.ones(4, 2)) is ready
    assert isinstance(ready, Prepared)
    assert torch.equal(ready(torch.ones(4, 2)), torch.ones(4))


def test_a_plugin_speeds_up_the_energies_it_knows_and_no_others(installed: pytest.MonkeyPatch) -> None:
    _offer(installed, f"{__name__}:shifting")
    x = torch.ones(2, 2)
    assert torch.equal(prepare(Plain(), x).value_and_gradient(x).gradient, x + 5)
    assert torch.equal(prepare(Bowl(), x).value_and_gradient(x).gradient, x + 10)
    assert torch.equal(prepare(nn.Sequential(Plain()), x).value_and_gradient(x).gradient, x)
    assert torch.equal(prepare(Plain().forward, x).value_and_gradient(x).gradient, x)


def test_a_broken_plugin_costs_speed_alone(installed: pytest.MonkeyPatch) -> None:
    _offer(installed, "no_such_package:prepare", f"{__name__}:shifting")
    x = torch.ones(2, 2)
    with pytest.warns(RuntimeWarning, match=r"'point0' of .* makes no chain faster: No module"):
        ready = prepare(Plain(), x)
    assert torch.equal(ready.value_and_gradient(x).gradient, x + 5)


def test_the_precision_of_a_chain_is_that_of_its_start() -> None:
    energy, x = nn.Sequential(nn.Linear(8, 8), nn.Flatten(0)), torch.randn(1, 8)

    class Summed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return energy[0](x).exp().sum(1)

    with computing_in("bf16"):
        ready = prepare(Summed(), x)
    exact = value_and_gradient(Summed(), x).gradient
    error = float((ready.value_and_gradient(x).gradient - exact).norm() / exact.norm())
    assert 1e-4 < error < 0.1


class Watchful:
    """Makes nothing faster; remembers whose layers it was asked for, and whether a block of its is open."""

    def __init__(self) -> None:
        self.asked: list[tuple[type[nn.Module], bool]] = []
        self.open = 0

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
        return None

    @contextmanager
    def layers(self, module: nn.Module, learning: bool) -> Iterator[None]:
        self.asked.append((type(module), learning))
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


watchful = Watchful()


class Guarded(Plain):
    """Fails outside of the block."""

    def forward(self, x: Tensor) -> Tensor:
        assert watchful.open
        return super().forward(x)


def test_chains_evaluate_inside_the_blocks_of_plugins_that_make_layers_faster(
    installed: pytest.MonkeyPatch,
) -> None:
    _offer(installed, f"{__name__}:watchful", f"{__name__}:shifting")
    watchful.asked.clear()
    run_chain(DESCENT, Guarded(), torch.ones(2, 2), steps=2, rng=Rng(0))
    assert watchful.asked == [(Guarded, False)]
    assert not watchful.open
    run_chain(DESCENT, lambda x: x.square().sum(1), torch.ones(2, 2), steps=1, rng=Rng(0))
    assert len(watchful.asked) == 1


class Learning(Energy):
    """Fails outside of the block, in the forward pass and in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.scale.register_hook(lambda gradient: gradient if watchful.open else gradient / 0)

    def forward(self, x: Tensor) -> Tensor:
        assert watchful.open
        return self.scale * x.square().flatten(1).sum(1) / 2


def test_trainings_compute_their_losses_and_gradients_inside_them(installed: pytest.MonkeyPatch) -> None:
    _offer(installed, f"{__name__}:watchful")
    watchful.asked.clear()
    schedule = DescriptorOnly(Learning(), Chain(Langevin(step_size=0.1), 2), (1, 4, 4), chains=2)
    learners = {"energy": Learner(schedule.energy, SGD(lr=1e-3))}
    batches = Batches(Ones(), size=3, rng=Rng(1), device=torch.device("cpu"))
    assert len(list(train(Experiment(schedule, learners, batches, Rng(0)), iterations=1))) == 1
    assert watchful.asked == [
        (DescriptorOnly, True),
        (Learning, False),
        (Learning, True),
        (DescriptorOnly, True),
    ]
    assert not watchful.open
