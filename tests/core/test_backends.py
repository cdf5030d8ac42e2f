from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Chain, Energy, Gradient, GradientBackend, Precision, Rng, prepare, run_chain
from ebmkit.training.batches import Batches
from ebmkit.training.loop import Experiment, Learner, train
from ebmkit_coopnets.descriptor_only import DescriptorOnly
from ebmkit_langevin.langevin import Langevin
from ebmkit_optim.sgd import SGD
from tests.core.offering import DESCENT, MARK, MARKING, Offering, Plain
from tests.core.test_distributed import Ones


@pytest.mark.parametrize("missing", ["no_such_package:Fast", f"{__name__}:Unmade"])
def test_a_broken_plugin_costs_speed_alone(offer: Offering, missing: str) -> None:
    offer(missing, MARKING)
    x = torch.ones(2, 2)
    with pytest.warns(RuntimeWarning, match=r"'point0' of .* makes no chain faster: .*no_such_"):
        ready = prepare(Plain(), x)
    assert torch.equal(ready.value_and_gradient(x).gradient, x * MARK)


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
    offer(f"{__name__}:Watchful", MARKING)
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
    offer(MARKING)
    x = torch.ones(2, 2)
    assert not torch.equal(prepare(Plain(), x).value_and_gradient(x).gradient, x)
    monkeypatch.setenv("EBMKIT_PLUGINS", words)
    assert torch.equal(prepare(Plain(), x).value_and_gradient(x).gradient, x)
