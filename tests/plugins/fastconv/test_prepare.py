"""What chains get: the gradient of the energy as it is written and as its weights are now."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from itertools import count
from typing import Any, ClassVar

import pytest
import torch
from ebmkit_my_mala.my_mala import MyMala
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.core import (
    Batch,
    Chain,
    Clamped,
    Energy,
    EnergyFn,
    Gradient,
    Info,
    Precision,
    Prepared,
    Rng,
    Sampler,
    State,
    computing_in,
    prepare,
    run_chain,
    value_and_gradient,
)
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.generator import ConvGenerator
from ebmkit_coopnets.coopnets import CoopNets
from ebmkit_fastconv.maps import choice
from ebmkit_fastconv.prepare import ClosedForms
from ebmkit_fastconv.reading.reader import read
from ebmkit_fastconv.reading.stack import Stack
from ebmkit_langevin.langevin import Langevin
from ebmkit_mcmc.hmc import HMC
from ebmkit_mcmc.underdamped import Underdamped

Forward = Callable[["Net", Tensor], Tensor]

offer_of = ClosedForms()


def closed_form(energy: nn.Module, x: Tensor, precision: Precision = "fp32") -> Gradient | None:
    """What the plugin offers for an energy."""
    offer = offer_of(energy, x, precision)
    return None if offer is None else offer.gradient


class Net(Energy):
    """A small network whose forward pass is written in the way of the case."""

    factor = 1.0

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.written = forward
        self.conv = nn.Conv2d(2, 6, 5, 2, 2)
        self.conv2 = nn.Conv2d(6, 5, 3, 1, 1, bias=False)
        self.hidden, self.out = nn.Linear(5 * 16, 7), nn.Linear(7, 1)
        self.mix = nn.Parameter(torch.randn(5 * 16))
        self.activation: nn.Module = nn.LeakyReLU(0.2)
        self.dropout = nn.Dropout()
        self.norm = nn.GroupNorm(1, 6)
        self.numbers = count()
        self.plain = torch.tensor(3.0)
        self.settings = {"scale": 1.0}
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.written(self, x)

    def features(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv2(self.activation(self.conv(x))))


def _head(net: Net, x: Tensor) -> Tensor:
    return net.out(functional.silu(net.hidden(net.features(x).flatten(1))))


READABLE: dict[str, Forward] = {
    "sum of responses": lambda net, x: -net.features(x).sum((1, 2, 3)),
    "mean": lambda net, x: 3 * net.features(x).flatten(1).mean(1),
    "view": lambda net, x: net.features(x).view(x.shape[0], -1) @ net.mix,
    "size": lambda net, x: net.features(x).reshape(x.size(0), -1).sum(-1),
    "squeeze": lambda net, x: _head(net, x).squeeze(1),
    "column": lambda net, x: 2 - _head(net, x)[:, 0] / 4,
    "hidden relu": lambda net, x: net.out(functional.relu(net.hidden(net.features(x).flatten(1)))).squeeze(
        -1
    ),
    "two linear layers": lambda net, x: net.out(net.hidden(net.features(x).flatten(1))).squeeze(-1),
    "tanh": lambda net, x: torch.tanh(net.conv(x)).flatten(1).sum(1),
    "softplus": lambda net, x: functional.softplus(net.conv(x)).flatten(1).sum(1),
    "functional": lambda net, x: (
        functional.leaky_relu(functional.conv2d(x, net.conv.weight, stride=2), 0.1).flatten(1).sum(1)
    ),
    "reference": lambda net, x: x.flatten(1).pow(2).sum(1) / (2 * 0.3**2) - net.features(x).sum((1, 2, 3)),
    "reference of products": lambda net, x: 0.5 * (x * x).sum((1, 2, 3)) + _head(net, x)[:, 0] + 1.5,
    "float64 head": lambda net, x: (
        x.flatten(1).double().square().sum(1) - net.features(x).flatten(1).double().sum(1)
    ),
    "a tensor that is no buffer": lambda net, x: net.conv(x).sum((1, 2, 3)) * net.plain,
    "dropout in eval mode": lambda net, x: net.dropout(net.features(x)).flatten(1).sum(1),
}

OTHER: dict[str, Forward] = {
    "normalisation": lambda net, x: net.norm(net.conv(x)).flatten(1).sum(1),
    "residual": lambda net, x: (net.features(x) + net.conv2(net.conv(x))).flatten(1).sum(1),
    "square of the features": lambda net, x: net.features(x).square().flatten(1).sum(1),
    "another softplus": lambda net, x: functional.softplus(net.conv(x), 2.0).flatten(1).sum(1),
    "two networks": lambda net, x: net.features(x).sum((1, 2, 3)) + net.conv(x).sum((1, 2, 3)),
    "control flow": lambda net, x: net.conv(x).sum((1, 2, 3)) * (1 if x.sum() > 0 else 2),
    "a norm for each image": lambda net, x: net.features(x).flatten(1).sum(1) * x.flatten(1).norm(dim=1),
    "random numbers": lambda net, x: net.conv(x).sum((1, 2, 3)) + torch.randn(()),
    "partial sum": lambda net, x: net.conv(x).sum((2, 3))[:, 0],
}


def _x(rows: int = 6, side: int = 8) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(rows, 2, side, side)


@pytest.mark.parametrize("name", READABLE)
def test_a_stack_is_read_whatever_way_it_is_written(name: str) -> None:
    energy = Net(READABLE[name]).eval()
    gradient = closed_form(energy, _x(), "fp32")
    assert gradient is not None
    found = gradient(_x())
    exact = value_and_gradient(copy.copy(energy).double(), _x().double())
    assert found.value.dtype == energy.float()(_x()).dtype
    assert torch.allclose(found.value.double(), exact.value, rtol=1e-5, atol=1e-5)
    assert torch.allclose(found.gradient.double(), exact.gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OTHER)
def test_what_is_no_stack_is_left_to_autograd(name: str) -> None:
    assert closed_form(Net(OTHER[name]).eval(), _x(), "fp32") is None


def test_dropout_that_is_on_is_left_to_autograd() -> None:
    energy = Net(READABLE["dropout in eval mode"])
    assert closed_form(energy.train(), _x(), "fp32") is None
    assert closed_form(energy.eval(), _x(), "fp32") is not None


def test_hooks_and_other_dtypes_are_left_to_autograd() -> None:
    energy = Net(READABLE["squeeze"]).eval()
    assert closed_form(energy, _x().double(), "fp32") is None
    handle = energy.conv.register_forward_hook(lambda module, inputs, output: 2 * output)
    assert closed_form(energy, _x(), "fp32") is None
    handle.remove()
    assert closed_form(energy, _x(), "fp32") is not None
    energy.conv.register_full_backward_hook(lambda module, inputs, outputs: None)
    assert closed_form(energy, _x(), "fp32") is None


def test_a_forward_pass_that_changes_is_found_out_and_left_to_autograd() -> None:
    energy = Net(lambda net, x: net.features(x).flatten(1).sum(1) * (1.0 + next(net.numbers))).eval()
    with pytest.warns(RuntimeWarning, match="'fastconv' of .* knows for Net differs from autograd"):
        ready = prepare(energy, _x())
    exact = value_and_gradient(energy, _x()).gradient / (1.0 + next(energy.numbers) - 1)
    found = ready.value_and_gradient(_x()).gradient / (1.0 + next(energy.numbers) - 1)
    assert torch.allclose(found, exact, rtol=1e-4, atol=1e-6)
    prepare(energy, _x())  # no second warning


HIDDEN: dict[str, tuple[Forward, Callable[[Net], object]]] = {
    "a buffer": (
        lambda net, x: net.features(x).sum((1, 2, 3)) * (net.scale * 2),
        lambda net: net.scale.add_(1),
    ),
    "the number in a buffer": (
        lambda net, x: net.features(x).sum((1, 2, 3)) * net.scale.item(),
        lambda net: net.scale.data.add_(1),
    ),
    "a dictionary": (
        lambda net, x: net.features(x).sum((1, 2, 3)) * net.settings["scale"],
        lambda net: net.settings.update(scale=3.0),
    ),
    "a dictionary, for something that cannot be read": (
        lambda net, x: getattr(
            net.features(x).sum((1, 2, 3)), "exp" if net.settings["scale"] == 3 else "neg"
        )(),
        lambda net: net.settings.update(scale=3.0),
    ),
    "the class": (
        lambda net, x: net.features(x).sum((1, 2, 3)) * net.factor,
        lambda net: setattr(Net, "factor", 3.0),
    ),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_the_forward_pass_depends_on_may_change_between_chains(name: str) -> None:
    forward, change = HIDDEN[name]
    Net.factor = 1.0
    energy = Net(forward).eval()
    before = prepare(energy, _x()).value_and_gradient(_x()).gradient
    change(energy)
    found, exact = prepare(energy, _x()).value_and_gradient(_x()), value_and_gradient(energy, _x())
    assert torch.allclose(found.value, exact.value, rtol=1e-4)
    assert torch.allclose(found.gradient, exact.gradient, rtol=1e-3, atol=1e-5)
    assert not torch.allclose(found.gradient, before, rtol=0.1)


def test_reading_leaves_nothing_on_the_module() -> None:
    for forward in (*READABLE.values(), *OTHER.values()):
        energy = Net(forward).eval()
        names = set(vars(energy))
        with warnings.catch_warnings(action="ignore"):
            closed_form(energy, _x(), "fp32")
        assert set(vars(energy)) == names


def test_a_module_that_was_rebuilt_is_read_again() -> None:
    energy = Net(READABLE["squeeze"]).eval()
    assert closed_form(energy, _x(), "fp32") is not None
    energy.activation = nn.LeakyReLU(0.7)
    found, exact = closed_form(energy, _x(), "fp32"), value_and_gradient(energy, _x())
    assert found is not None
    assert torch.allclose(found(_x()).gradient, exact.gradient, rtol=1e-3, atol=1e-6)


def test_weights_changed_in_place_are_noticed_within_a_chain() -> None:
    energy = ConvDescriptor((2, 16, 16), channels=(8,), kernels=(3,), strides=(1,), reference_std=1.0).eval()
    x = _x(side=16)
    ready = prepare(energy, x)
    before = ready.value_and_gradient(x).gradient
    with torch.no_grad():
        energy.features[0].weight.add_(1.0)
    after = ready.value_and_gradient(x).gradient
    assert torch.allclose(after, value_and_gradient(energy, x).gradient, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after, before, rtol=1e-2)


@pytest.mark.parametrize("how", ["fused optimizer", "data"])
def test_weights_changed_behind_the_version_counter_are_noticed_by_the_next_chain(how: str) -> None:
    energy = ConvDescriptor((2, 16, 16), channels=(8,), kernels=(3,), strides=(1,), reference_std=1.0).eval()
    x = _x(side=16)
    sampler = Langevin(step_size=0.1, noise=False)
    before = run_chain(sampler, energy, x, steps=1, rng=Rng(0)).x
    if how == "data":
        energy.features[0].weight.data.add_(1.0)
    else:
        optimizer = torch.optim.Adam(energy.parameters(), 1.0, fused=True)
        energy(x).sum().backward()
        optimizer.step()
    after = run_chain(sampler, energy, x, steps=1, rng=Rng(0)).x
    expected = x - 0.1**2 / 2 * value_and_gradient(energy, x).gradient
    assert torch.allclose(after, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after, before, rtol=1e-3)


WIDE = {"channels": (64, 96, 96), "kernels": (5, 5, 3), "strides": (2, 2, 1), "reference_std": 0.5}


@pytest.fixture(params=["torch", "native"])
def wide(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ConvDescriptor:
    """A net whose upper layers go Winograd's way, in torch or in C."""
    if request.param == "torch":
        monkeypatch.setattr(choice, "transforms", lambda: None)
    elif choice.transforms() is None:
        pytest.skip("no C compiler")
    torch.manual_seed(0)
    return ConvDescriptor((3, 32, 32), **WIDE).eval()


def test_wide_layers_go_winograds_way_to_the_same_gradient(wide: ConvDescriptor) -> None:
    x = torch.randn(20, 3, 32, 32)
    stack_blocks = choice.blocks_of(_stack(wide, x), (3, 32, 32))
    assert any(choice.is_winograd(block) for block in stack_blocks)
    found = prepare(wide, x).value_and_gradient(x)
    exact = value_and_gradient(copy.deepcopy(wide).double(), x.double())
    assert torch.allclose(found.value, exact.value, rtol=1e-9)
    wide.reference_std = math.inf  # whose share of the gradient would hide the network's
    found = prepare(wide, x).value_and_gradient(x)
    exact = value_and_gradient(copy.deepcopy(wide).double(), x.double())
    error = (found.gradient - exact.gradient).flatten(1).norm(dim=1) / exact.gradient.flatten(1).norm(dim=1)
    assert float(error.median()) < 5e-5


def test_a_batch_has_the_bits_of_its_halves(wide: ConvDescriptor) -> None:
    x = torch.randn(64, 3, 32, 32)
    sampler = Langevin(step_size=0.05)
    whole = run_chain(sampler, wide, x, steps=3, rng=Rng(0)).x
    halves = [
        run_chain(sampler, wide, part, steps=3, rng=Rng(0, first_chain=first)).x
        for first, part in ((0, x[:32]), (32, x[32:]))
    ]
    assert torch.equal(whole, torch.cat(halves))


def test_clamped_pixels_feel_no_force_of_the_fast_gradient(wide: ConvDescriptor) -> None:
    observed = torch.randn(4, 3, 32, 32)
    mask = (torch.arange(32) < 16).float().expand(4, 1, 32, 32)
    clamped = Clamped(wide, observed, mask).eval()
    x = torch.randn(4, 3, 32, 32)
    found, exact = prepare(clamped, x).value_and_gradient(x), value_and_gradient(clamped, x)
    assert torch.allclose(found.value, exact.value)
    assert torch.allclose(found.gradient, exact.gradient, rtol=1e-3, atol=1e-4)
    assert not found.gradient[..., :16].any()


@pytest.mark.parametrize(("precision", "low", "high"), [("mixed", 5e-4, 2e-2), ("bf16", 5e-3, 0.2)])
def test_bfloat16_costs_what_it_is_said_to_cost(precision: str, low: float, high: float) -> None:
    torch.manual_seed(0)
    energy = ConvDescriptor((3, 32, 32), **(WIDE | {"reference_std": float("inf")})).eval()
    x = torch.randn(16, 3, 32, 32)
    with computing_in(precision):  # type: ignore[arg-type]
        found = prepare(energy, x).value_and_gradient(x).gradient
    exact = value_and_gradient(copy.deepcopy(energy).double(), x.double()).gradient
    assert found.dtype == torch.float32
    assert low < float((found - exact).norm() / exact.norm()) < high


@pytest.mark.parametrize("name", ["langevin", "hmc", "underdamped", "a third party's"])
def test_every_sampler_walks_on_the_fast_gradient_without_knowing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain on the energy is the chain on the bare function to rounding, and asks autograd for nothing."""
    sampler: Sampler = {
        "langevin": lambda: Langevin(step_size=0.05),
        "hmc": lambda: HMC(step_size=0.02),
        "underdamped": lambda: Underdamped(step_size=0.02),
        "a third party's": lambda: MyMala(step_size=0.02),
    }[name]()
    energy = Net(READABLE["reference"]).eval()
    slow = run_chain(sampler, energy.forward, _x(), steps=5, rng=Rng(3))
    prepare(energy, _x())  # reads the energy, with autograd's help
    monkeypatch.setattr(torch.autograd, "grad", lambda *_: pytest.fail("autograd was asked"))
    fast = run_chain(sampler, energy, _x(), steps=5, rng=Rng(3))
    assert torch.allclose(fast.x, slow.x, rtol=1e-4, atol=1e-4)
    assert fast.stats.keys() == slow.stats.keys()


def test_calls_alone_are_saved_without_convolutions_and_few_do_not_pay_for_a_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dense, convolving = nn.Linear(2, 1), nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(4, 1))
    assert offer_of.patience(dense) == 0  # these tests look at every path
    monkeypatch.delenv("EBMKIT_WINOGRAD")
    assert [offer_of.patience(each) for each in (dense, convolving)] == [16, 0]


def test_the_posterior_of_a_generator_goes_to_autograd() -> None:
    torch.manual_seed(0)
    generator = ConvGenerator((3, 16, 16), latents=4, channels=(8, 8), kernel=4).eval()
    posterior = generator.posterior(torch.randn(5, 3, 16, 16))
    z = torch.randn(5, 4)
    found, exact = prepare(posterior, z).value_and_gradient(z), value_and_gradient(posterior, z)
    assert torch.equal(found.value, exact.value)
    assert torch.equal(found.gradient, exact.gradient)


class Spied(Langevin):
    """Langevin that compares its gradients with autograd's."""

    worst: ClassVar[list[float]] = []

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[State, Info]:
        found = value_and_gradient(energy, state.x).gradient
        assert isinstance(energy, Prepared)
        exact = value_and_gradient(energy.energy, state.x).gradient
        self.worst.append(float((found - exact).norm() / exact.norm()))
        return super().step(energy, state, rng)


def test_a_training_with_a_fused_optimizer_never_walks_on_weights_of_before() -> None:
    """Fused optimizers do not count up the versions of what they change."""
    torch.manual_seed(0)
    sizes = {"channels": (16, 16), "kernels": (5, 3), "strides": (2, 1)}
    energy = ConvDescriptor((3, 16, 16), **sizes, reference_std=1.0, weight_std=0.1)
    generator = ConvGenerator((3, 16, 16), latents=4, channels=(8, 8), kernel=4)
    revision = Chain(Spied(step_size=0.02), 3)
    schedule = CoopNets(energy=energy, generator=generator, revision=revision, chains=4)
    parts = {"energy": energy, "generator": generator}
    optimizers = {name: torch.optim.Adam(part.parameters(), 0.02, fused=True) for name, part in parts.items()}
    Spied.worst.clear()
    x = Rng(1).normal(torch.empty(4, 3, 16, 16))
    for iteration in range(4):
        for update in schedule.updates(Batch(x, torch.arange(4)), rng=Rng(iteration)):
            optimizers[update.part].zero_grad()
            update.loss.backward()
            optimizers[update.part].step()
    assert len(Spied.worst) == 12
    assert max(Spied.worst) < 1e-4


def _stack(energy: Energy, x: Tensor) -> Stack:
    reading = read(energy, x)
    assert reading is not None
    return reading.stack


def test_energies_that_are_equal_are_told_apart() -> None:
    class Equal(Energy):
        """Equal to every other one."""

        def __init__(self, *, readable: bool) -> None:
            super().__init__()
            self.layer, self.head, self.readable = nn.Linear(3, 8), nn.Linear(8, 1), [readable]

        def forward(self, x: Tensor) -> Tensor:
            h = self.layer(x).tanh()
            return self.head(h if self.readable[0] else h.sin()).squeeze(1)

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    x = torch.randn(4, 3)
    kept = [Equal(readable=False), Equal(readable=True)]
    assert [offer_of(each, x, "fp32") is None for each in kept] == [True, False]
    assert [offer_of(each, x, "fp32") is None for each in kept] == [True, False]


def test_an_energy_that_cannot_be_read_may_hold_what_has_no_hash() -> None:
    class Holding(Energy):
        """Counts its calls, and holds a list in a tuple."""

        def __init__(self) -> None:
            super().__init__()
            self.layer, self.calls, self.sizes = nn.Conv2d(1, 2, 3), 0, ([1, 2],)

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.layer(x).sin().flatten(1).sum(1)

    energy, x = Holding(), torch.randn(4, 1, 5, 5)
    assert [offer_of(energy, x, "fp32") for _ in range(3)] == [None] * 3
    assert energy.calls == 3  # each time it is another one than before
    energy.calls = 2
    assert offer_of(energy, x, "fp32") is None
