"""The seam through which chains get a faster gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import (
    Chain,
    Energy,
    Gradient,
    GradientBackend,
    Precision,
    Prepared,
    Rng,
    Sampler,
    ValueAndGradient,
    computing_in,
    prepare,
    run_chain,
    value_and_gradient,
    walk,
)
from ebmkit.registry import backends
from ebmkit.training.batches import Batches
from ebmkit.training.loop import Experiment, Learner, train
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_langevin.langevin import Langevin
from ebmkit_optim.sgd import SGD
from tests.conftest import Install
from tests.core.test_distributed import Ones

Offering = Callable[..., None]

DESCENT: Sampler = Langevin(step_size=2**0.5, noise=False)

DESCENT_BY_HALF: Sampler = Langevin(step_size=1.0, noise=False)

MARK = 1 + 2**-12
"""By which a fast gradient shows in these tests: less than the check takes for rounding, exact in float32."""


class Bowl(Energy):
    """|x|^2 / 2, with a parameter, and a gradient of its own that leaves its mark."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.prepared_at: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x.square().sum(1) / 2

    def prepare(self, x: Tensor) -> Gradient:
        self.prepared_at.append(tuple(x.shape))
        scale = float(self.scale)
        return lambda x: ValueAndGradient(self(x).detach(), scale * x * MARK)


class Plain(nn.Module):
    """A module that knows nothing about itself."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square().sum(1) / 2


@pytest.fixture
def offer(install: Install, monkeypatch: pytest.MonkeyPatch) -> Iterator[Offering]:
    """Install plugins whose gradient backends are classes; they are the only ones that are asked."""
    monkeypatch.setenv("EBMKIT_PLUGINS", "no:fastconv")

    def put(*references: str) -> None:
        for i, reference in enumerate(references):
            source = f"""
                from ebmkit.plugin import hookimpl

                @hookimpl
                def ebmkit_gradient_backends():
                    return {{"backend{i}": "{reference}"}}
            """
            install(f"dist{i}", f"backend_plugin{i}_{abs(hash(references))}", source, point=f"point{i}")
        backends._installed.cache_clear()

    yield put
    backends._installed.cache_clear()


class Marking(GradientBackend):
    """Knows plain modules, and leaves its mark."""

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
        if not isinstance(energy, Plain):
            return None
        return lambda x: ValueAndGradient(energy(x), x * MARK)


def test_a_chain_asks_the_energy_once_and_walks_on_its_answer() -> None:
    energy = Bowl()
    moved = run_chain(DESCENT, energy, torch.ones(4, 2), steps=3, rng=Rng(0)).x
    assert energy.prepared_at == [(4, 2)]
    assert torch.equal(moved, torch.full((4, 2), (1 - MARK) ** 3))


def test_outside_a_chain_the_gradient_is_autograds() -> None:
    assert torch.equal(value_and_gradient(Bowl(), torch.ones(1, 2)).gradient, torch.ones(1, 2))


@pytest.mark.parametrize(
    "x", [torch.ones(3, 2), torch.ones(3, 2, dtype=torch.complex64)], ids=["real", "complex"]
)
def test_complex_energies_have_no_gradient(x: Tensor) -> None:
    with pytest.raises(RuntimeError, match="only for real scalar outputs"):
        value_and_gradient(lambda x: x.square().sum(1) * (1 + 1j), x)


def test_sparse_energies_have_the_gradient_that_autograd_gives() -> None:
    found = value_and_gradient(lambda x: x.square().sum(1).to_sparse(), torch.ones(3, 2))
    assert torch.equal(found.gradient, torch.full((3, 2), 2.0))


@pytest.mark.filterwarnings("error")
def test_offers_are_compared_wherever_torch_makes_new_tensors() -> None:
    energy = Bowl()
    with torch.device("meta"):
        found = prepare(energy, torch.ones(4, 2, device="cpu")).value_and_gradient
    x = torch.ones(4, 2)
    assert torch.equal(found(x).gradient, MARK * x)


def test_states_of_another_shape_or_type_go_to_autograd() -> None:
    ready = prepare(Bowl(), torch.ones(4, 2))
    for x in (torch.ones(3, 2), torch.ones(4, 2, dtype=torch.float64)):
        assert torch.equal(ready.value_and_gradient(x).gradient, x)


def test_parameters_and_buffers_changed_in_place_are_noticed() -> None:
    energy = Bowl()
    ready = prepare(energy, torch.ones(4, 2))
    with torch.no_grad():
        energy.scale.mul_(3)
    assert torch.equal(ready.value_and_gradient(torch.ones(4, 2)).gradient, torch.full((4, 2), 3 * MARK))
    assert len(energy.prepared_at) == 2


def test_what_is_prepared_stays_as_it_is_and_can_be_called() -> None:
    ready = prepare(Bowl(), torch.ones(4, 2))
    assert prepare(ready, torch.ones(4, 2)) is ready
    assert isinstance(ready, Prepared)
    assert torch.equal(ready(torch.ones(4, 2)), torch.ones(4))


def test_a_plugin_speeds_up_the_energies_it_knows_and_no_others(offer: Offering) -> None:
    offer(f"{__name__}:Marking")
    x = torch.ones(2, 2)
    assert torch.equal(prepare(Plain(), x).value_and_gradient(x).gradient, x * MARK)
    assert torch.equal(prepare(Bowl(), x).value_and_gradient(x).gradient, x * MARK)
    assert torch.equal(prepare(nn.Sequential(Plain()), x).value_and_gradient(x).gradient, x)
    assert torch.equal(prepare(Plain().forward, x).value_and_gradient(x).gradient, x)


@pytest.mark.parametrize("missing", ["no_such_package:Fast", f"{__name__}:Unmade"])
def test_a_broken_plugin_costs_speed_alone(offer: Offering, missing: str) -> None:
    offer(missing, f"{__name__}:Marking")
    x = torch.ones(2, 2)
    with pytest.warns(RuntimeWarning, match=r"'point0' of .* makes no chain faster: .*no_such_"):
        ready = prepare(Plain(), x)
    assert torch.equal(ready.value_and_gradient(x).gradient, x * MARK)


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


class Unmade(GradientBackend):
    """Cannot be made."""

    def __init__(self) -> None:
        raise OSError("no_such_library")

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> None:
        return None


class Watchful(GradientBackend):
    """Makes nothing faster; remembers whose layers it was asked for, and whether a block of its is open."""

    asked: ClassVar[list[type[nn.Module]]] = []
    open: ClassVar[int] = 0

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
        return None

    @contextmanager
    def layers(self, module: nn.Module) -> Iterator[None]:
        self.asked.append(type(module))
        Watchful.open += 1
        try:
            yield
        finally:
            Watchful.open -= 1


class Guarded(Plain):
    """Fails outside of the block."""

    def forward(self, x: Tensor) -> Tensor:
        assert Watchful.open
        return super().forward(x)


def test_chains_evaluate_inside_the_blocks_of_plugins_that_make_layers_faster(
    offer: Offering,
) -> None:
    offer(f"{__name__}:Watchful", f"{__name__}:Marking")
    Watchful.asked.clear()
    run_chain(DESCENT, Guarded(), torch.ones(2, 2), steps=2, rng=Rng(0))
    assert Watchful.asked == [Guarded]
    assert not Watchful.open
    run_chain(DESCENT, lambda x: x.square().sum(1), torch.ones(2, 2), steps=1, rng=Rng(0))
    assert len(Watchful.asked) == 1


class Learning(Energy):
    """Fails outside of the block, in the forward pass and in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.scale.register_hook(lambda gradient: gradient if Watchful.open else gradient / 0)

    def forward(self, x: Tensor) -> Tensor:
        assert Watchful.open
        return self.scale * x.square().flatten(1).sum(1) / 2


def test_trainings_compute_their_losses_and_gradients_inside_them(offer: Offering) -> None:
    offer(f"{__name__}:Watchful")
    Watchful.asked.clear()
    schedule = DescriptorOnly(Learning(), Chain(Langevin(step_size=0.1), 2), (1, 4, 4), chains=2)
    learners = {"energy": Learner(schedule.energy, SGD(lr=1e-3))}
    batches = Batches(Ones(), size=3, rng=Rng(1), device=torch.device("cpu"))
    assert len(list(train(Experiment(schedule, learners, batches, Rng(0)), iterations=1))) == 1
    assert Watchful.asked == [
        DescriptorOnly,
        Learning,
        Learning,
        DescriptorOnly,
    ]
    assert not Watchful.open


@pytest.mark.parametrize("words", ["no:point0", "no:dist0", ""])
def test_a_backend_that_is_switched_off_is_not_asked(
    offer: Offering, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(f"{__name__}:Marking")
    x = torch.ones(2, 2)
    assert not torch.equal(prepare(Plain(), x).value_and_gradient(x).gradient, x)
    monkeypatch.setenv("EBMKIT_PLUGINS", words)
    assert torch.equal(prepare(Plain(), x).value_and_gradient(x).gradient, x)


class Faulty(GradientBackend):
    """A backend for plain modules that fails where the test says, and otherwise leaves its mark."""

    fails: ClassVar[str] = ""

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
        if self.fails == "asked":
            raise KeyError("no such operation")
        if not isinstance(energy, Plain):
            return None
        calls = count()

        def gradient(x: Tensor) -> ValueAndGradient:
            call = next(calls)
            if self.fails == "computing" or (self.fails == "later" and call == 4):
                raise RuntimeError("shape mismatch")
            wrong = self.fails == "wrong" or (
                self.fails == "wrong away from the start" and not (x == 1).all()
            )
            return ValueAndGradient(energy(x), x * (2 if wrong else MARK))

        return gradient


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (
            "asked",
            r"plugin 'point0' of .* raised KeyError: 'no such operation': chains of Plain take",
        ),
        ("computing", r"plugin 'point0' of .* raised RuntimeError: shape mismatch"),
        ("later", r"plugin 'point0' of .* raised RuntimeError: shape mismatch"),
        ("wrong", r"that backend 'backend0' .plugin 'point0' of .* knows for Plain differs from autograd's"),
        ("wrong away from the start", "differs from autograd's and is not used: its gradient is off by"),
    ],
)
def test_whatever_a_backend_does_the_chain_is_autograds_and_one_warning_names_it(
    offer: Offering, fails: str, said: str
) -> None:
    offer(f"{__name__}:Faulty")
    Faulty.fails = fails
    energy, x = Plain(), torch.ones(3, 2)
    with pytest.warns(RuntimeWarning, match=said) as warned:
        found = run_chain(DESCENT_BY_HALF, energy, x, steps=6, rng=Rng(0)).x
    assert len(warned) == 1
    assert torch.allclose(found, torch.full((3, 2), 0.5**6), rtol=1e-2)
    again = run_chain(DESCENT_BY_HALF, energy, x, steps=6, rng=Rng(0)).x  # without a second warning
    assert torch.equal(again, torch.full((3, 2), 0.5**6))


def test_an_energy_that_fails_is_to_blame_itself(offer: Offering) -> None:
    """No backend is blamed for it: a warning would be an error here."""
    offer(f"{__name__}:Faulty")
    Faulty.fails = ""

    class Broken(Plain):
        def forward(self, x: Tensor) -> Tensor:
            raise ArithmeticError("the energy's own")

    with pytest.raises(ArithmeticError, match="the energy's own"):
        run_chain(DESCENT, Broken(), torch.ones(2, 2), steps=1, rng=Rng(0))


def test_an_offer_is_compared_once_for_each_shape_and_energy(offer: Offering) -> None:
    offer(f"{__name__}:Marking")
    evaluated = []

    class Counting(Plain):
        def forward(self, x: Tensor) -> Tensor:
            evaluated.append(len(x))
            return super().forward(x)

    energy = Counting()
    for rows, more in ((3, 7), (3, 3), (4, 7)):
        evaluated.clear()
        run_chain(DESCENT, energy, torch.ones(rows, 2), steps=3, rng=Rng(0))
        assert len(evaluated) == more  # one a step; the first time two states as well, by both


def test_between_the_steps_of_a_walk_the_energy_may_change() -> None:
    class Scaled(Bowl):
        beta = 1.0
        shared: ClassVar[dict[str, float]] = {"gamma": 1.0}

        def forward(self, x: Tensor) -> Tensor:
            return self.beta * self.shared["gamma"] * super().forward(x)

        def prepare(self, x: Tensor) -> Gradient:
            factor = self.beta * self.shared["gamma"] * float(self.scale)
            return lambda x: ValueAndGradient(self(x).detach(), factor * x * MARK)

    energy, x = Scaled(), torch.full((2, 2), 64.0)
    moves = walk(DESCENT_BY_HALF, energy, x, rng=Rng(0))
    changes: list[Callable[[], object]] = [
        lambda: setattr(energy, "beta", 0.5),
        lambda: energy.shared.update(gamma=0.25),
        lambda: setattr(energy, "scale", nn.Parameter(torch.tensor(3.0))),
        lambda: None,
    ]
    factor = 1.0
    for change, after in zip(changes, (0.5, 0.125, 0.375, 0.375), strict=True):
        before, x = x, next(moves)[0].x
        assert torch.equal(x, before - 0.5 * (factor * before * MARK))
        change()
        factor = after
