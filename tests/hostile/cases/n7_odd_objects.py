"""N7: energies that are odd objects."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize

LEVEL: ContextVar[float] = ContextVar("level", default=1.0)
LOCAL = threading.local()


class Rows(nn.Module):
    """A perceptron."""

    def __init__(self, kit: Any, width: int = 32) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, width)), kit.layer(nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).tanh()).squeeze(1) + x.square().sum(1) / 2


class Alike(Rows):
    """All of them are equal."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)

    def __hash__(self) -> int:
        return 1


class Unhashable(Rows):
    """Compared by value, as a dataclass is."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable)


class Empty(Rows):
    """Its length is 0, so that it is false."""

    def __len__(self) -> int:
        return 0


class Slotted(Rows):
    """A factor in a slot."""

    __slots__ = ("factor",)

    def __init__(self, kit: Any) -> None:
        super().__init__(kit)
        self.factor = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * super().forward(x)


class Private(Rows):
    """It shows nobody its parameters, and its modules only by name."""

    def __init__(self, kit: Any) -> None:
        super().__init__(kit)
        object.__setattr__(self, "hidden", kit.layer(nn.Linear(6, 6)))

    def parameters(self, recurse: bool = True) -> Any:
        return iter(())

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.hidden(x).tanh())


class Answering(Rows):
    """It has every attribute that anybody asks for."""

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return 0.0


class Contextual(Rows):
    """A factor that depends on who calls."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * LEVEL.get() * getattr(LOCAL, "level", 1.0)


class Lazy(nn.Module):
    """Layers that learn their sizes from the first state."""

    def __init__(self, kit: Any, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.kit, self.dtype = [kit], dtype
        self.net = nn.Sequential(
            nn.LazyLinear(8, dtype=kit.dtype(dtype)), nn.Tanh(), nn.LazyLinear(1, dtype=kit.dtype(dtype))
        )

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.net[0], nn.LazyLinear):
            self.net(torch.zeros_like(x).detach())
            self.kit[0].layer(self.net, self.dtype)
        return self.net(x).squeeze(1)


class LazyImage(nn.Module):
    """The same for images."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.kit, self.net = (
            [kit],
            nn.Sequential(
                nn.LazyConv2d(64, 3, dtype=kit.dtype()), nn.ReLU(), nn.LazyConv2d(64, 3, dtype=kit.dtype())
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.net[0], nn.LazyConv2d):
            self.net(torch.zeros_like(x).detach())
            self.kit[0].layer(self.net)
        return self.net(x).mean((1, 2, 3))


class Scaled(Rows):
    """Of another size."""

    def __init__(self, kit: Any, scale: float) -> None:
        super().__init__(kit)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * super().forward(x)


class Remembering(Rows):
    """It keeps what it gave last, and what went in."""

    def forward(self, x: Tensor) -> Tensor:
        self.features = self.first(x)
        self.last = self.second(self.features.tanh()).squeeze(1)
        return self.last


class Name(str):
    """Equal in its own way, and so without a hash: whoever wants one gets an error."""

    def __eq__(self, other: object) -> bool:
        return str(self).lower() == str(other).lower()

    __hash__ = None  # type: ignore[assignment]


class Named(nn.Module):
    """It has such a name."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.name = Name("mine")

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).sin()).squeeze(1)


def run(kit: Any) -> None:
    kit.chain("a name without a hash", Named(kit), kit.numbers(4, 6))
    x = kit.numbers(4, 6)
    for kind in (Alike, Unhashable, Empty, Slotted, Private, Answering):
        one, other = kind(kit), kind(kit)
        kit.chain(f"{kind.__name__}, one", one, x)
        kit.chain(f"{kind.__name__}, other", other, x)
        with torch.no_grad():
            one.first.weight.mul_(-1)
        kit.chain(f"{kind.__name__}, changed", one, x)
    slotted = Slotted(kit)
    kit.walk("a slot", slotted, x, steps=3, between=lambda _: setattr(slotted, "factor", slotted.factor / 2))
    kit.chain("before a slot", slotted, x)
    slotted.factor = 3.0
    kit.chain("after a slot", slotted, x)
    private = Private(kit)

    def hidden(_: int) -> None:
        with torch.no_grad():
            private.hidden.weight.mul_(0.5)

    kit.walk("hidden weights", private, x, steps=3, between=hidden)
    kit.gradient("lazy", Lazy(kit), x)
    kit.chain("lazy, a chain", Lazy(kit), x)
    kit.chain("lazy image", LazyImage(kit), kit.numbers(16, 3, 12, 12))
    kit.chain("lazy float64", Lazy(kit, torch.float64), kit.numbers(4, 6, dtype=torch.float64))
    lazy = nn.Sequential(nn.LazyConv2d(64, 3), nn.ReLU())
    kit.call("lazy layers", lazy, lambda: lazy(kit.numbers(2, 3, 8, 8, dtype=torch.float32).float()) * 0)
    contextual = Contextual(kit)
    kit.chain("of a context, before", contextual, x)
    token = LEVEL.set(0.2)
    LOCAL.level = 3.0
    kit.chain("of a context, after", contextual, x)
    kit.walk("of a context", contextual, x, steps=3, between=lambda step: LEVEL.set(0.7 * LEVEL.get()))
    LEVEL.reset(token)
    del LOCAL.level
    freed(kit, x)
    copies(kit, x)
    dressed(kit, x)
    sizes(kit)


def freed(kit: Any, x: Tensor) -> None:
    """Energies at the addresses of others that were."""
    for turn in range(6):
        net = Rows(kit)
        if turn % 2:
            net.forward = lambda x, net=net: functional.softplus(net.second(net.first(x).tanh())).squeeze(1)
        kit.chain(f"freed {turn}", net, x)
        del net
        gc.collect()


def copies(kit: Any, x: Tensor) -> None:
    """Copies of what was read before, changed or not."""
    net = Rows(kit)
    kit.chain("original", net, x)
    copied, loaded = copy.deepcopy(net), pickle.loads(pickle.dumps(net))  # noqa: S301
    shallow = copy.copy(net)
    shallow.second = kit.layer(nn.Linear(32, 1))
    for name, each in (("deep", copied), ("pickled", loaded), ("shallow", shallow)):
        with torch.no_grad():
            each.second.weight.mul_(1.5)
        kit.chain(f"{name} copy", each, x)
    kit.chain("original, after", net, x)
    scripted = torch.jit.script(net)
    for turn in range(4):
        kit.chain(f"scripted {turn}", scripted, x)
    traced = torch.jit.trace(net, x)
    for turn in range(3):
        kit.chain(f"traced {turn}", traced, x)


def dressed(kit: Any, x: Tensor) -> None:
    """Weights that are made of others, once or every time."""
    for name, dress in (
        ("weight", parametrizations.weight_norm),
        ("spectral", parametrizations.spectral_norm),
    ):
        net = Rows(kit).eval()
        dress(net.first)
        kit.chain(f"{name} norm", net, x)
        with parametrize.cached():
            kit.chain(f"{name} norm, cached", net, x)
            with torch.no_grad():
                next(net.first.parameters()).mul_(2.0)
            kit.chain(f"{name} norm, cached and changed", net, x)
        kit.chain(f"{name} norm, no longer cached", net, x)
        for each in net.parameters():
            each.requires_grad_(False)
        with parametrize.cached():
            kit.chain(f"{name} norm, frozen and cached", net, x)
        kit.chain(f"{name} norm, frozen", net, x)


def sizes(kit: Any) -> None:
    """Energies and states of sizes that thresholds may not know."""
    for scale in (0.0, 1e-12, 1e-30, 1e12, -1e4):
        net = Scaled(kit, scale)
        for rows in (1, 3, 100):
            if scale == 0 or abs(scale) > 1:  # smaller moves are rounding
                kit.chain(f"scale {scale}, {rows} rows", net, kit.numbers(rows, 6))
            kit.gradient(f"scale {scale}, {rows} rows, gradient", net, kit.numbers(rows, 6))
    net = Rows(kit)
    for name, at in (
        ("infinite", float("inf")),
        ("no number", float("nan")),
        ("huge", 1e30),
        ("tiny", 1e-30),
    ):
        x = kit.numbers(4, 6)
        x[1, 2] = at
        kit.chain(f"{name} entry", net, x)
        kit.chain(f"{name} all over", net, torch.full_like(x, at))
    kit.chain("zeros", net, torch.zeros_like(x))
    kit.chain("one row of three equal ones", net, kit.numbers(1, 6).expand(3, 6))
    for name, wrong in (
        ("complex", lambda x: net(x) * (1 + 1j)),
        ("of truth", lambda x: net(x) > 0),
        ("whole", lambda x: net(x).long()),
        ("float64", lambda x: net(x).double()),
        ("half", lambda x: net(x).half()),
        ("a number", lambda x: 1.0),
        ("of one column", lambda x: net(x)[:, None]),
        ("one number", lambda x: net(x).sum()),
        ("a constant", lambda x: torch.zeros(4)),
        ("a list", lambda x: list(net(x))),
        ("nothing", lambda x: None),
        ("detached", lambda x: net(x).detach()),
        ("sparse", lambda x: net(x).to_sparse()),
        ("inplace", lambda x: net(x.add_(1))),
    ):
        kit.gradient(f"energies that are {name}", wrong, kit.numbers(4, 6))
        kit.chain(f"energies that are {name}, a chain", wrong, kit.numbers(4, 6))
    remembering = Remembering(kit)
    kit.chain("remembering", remembering, kit.numbers(4, 6))
