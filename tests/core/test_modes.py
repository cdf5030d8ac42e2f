"""Every module behind an energy is in eval mode while a chain walks, and has its own mode back after."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, Thread

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Rng, run_chain
from ebmkit.core.modes import evaluating, modules_behind
from ebmkit_langevin.langevin import Langevin

GLOBAL = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 1))


class Model(nn.Module):
    """Has an energy that is not its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.net = GLOBAL

    def energy(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(1)


class Wrapped:
    """A callable that is no module."""

    def __init__(self, net: nn.Module) -> None:
        self.nets = [net]

    def __call__(self, x: Tensor) -> Tensor:
        return self.nets[0](x).squeeze(1)

    def method(self, x: Tensor) -> Tensor:
        return self(x)


def of_global(x: Tensor) -> Tensor:
    return GLOBAL(x).squeeze(1)


def through_another(x: Tensor) -> Tensor:
    return of_global(x)


def of_default(x: Tensor, net: nn.Module = GLOBAL) -> Tensor:
    return net(x).squeeze(1)


def closing(net: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda x: net(x).squeeze(1)


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "bound method": Model().energy,
    "closure": closing(GLOBAL),
    "global": of_global,
    "function of a function": through_another,
    "default": of_default,
    "partial": partial(of_default, net=GLOBAL),
    "object": Wrapped(GLOBAL),
    "method of an object": Wrapped(GLOBAL).method,
    "function inside": lambda x: torch.cat([GLOBAL(each).squeeze(1) for each in x.split(8)]),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_chain_moves_no_statistics_and_drops_nothing(name: str) -> None:
    norm = GLOBAL.train()[1]
    before = [each.clone() for each in norm.buffers()]
    x = torch.randn(8, 2)
    ends = [run_chain(Langevin(step_size=0.3), FORMS[name], x, steps=2, rng=Rng(0)).x for _ in range(2)]
    assert torch.equal(*ends)
    assert all(torch.equal(a, b) for a, b in zip(before, norm.buffers(), strict=True))
    assert all(each.training for each in GLOBAL.modules())


def test_each_submodule_gets_its_own_mode_back() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    net[0].eval()
    with evaluating(net):
        assert not any(each.training for each in net.modules())
    assert [each.training for each in net.modules()] == [True, False, True]


def test_of_two_threads_the_last_one_gives_the_mode_back() -> None:
    net, turn = nn.Dropout().train(), Barrier(2, timeout=10)
    seen: list[bool] = []

    def first() -> None:
        with evaluating(net):
            turn.wait()  # both are inside
        turn.wait()  # this one is out

    thread = Thread(target=first)
    thread.start()
    with evaluating(net):
        turn.wait()
        turn.wait()
        seen.append(net.training)
    thread.join()
    assert (seen, net.training) == ([False], True)


def test_a_search_comes_to_an_end() -> None:
    chained: list[object] = []
    chained.append(chained)
    assert modules_behind(partial(of_default, net=chained)) == [GLOBAL]  # its default is still there
    assert modules_behind(3) == []
