"""C9: an energy that keeps things of its own while it is evaluated."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Noting(nn.Module):
    """Appends to a list, fills a dictionary, keeps its last features."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.net = nn.Sequential(kit.layer(nn.Linear(6, 16)), nn.Tanh(), kit.layer(nn.Linear(16, 1)))
        self.seen: list[object] = []
        self.kept: dict[str, object] = {}
        self.rows: object = None

    def forward(self, x: Tensor) -> Tensor:
        h = self.net(x)
        self.seen.append(h)
        self.kept["x"] = x
        self.rows = x.shape[0]
        return h.squeeze(1)


class Closure:
    """The same in a function's closure."""

    def __init__(self, net: nn.Module) -> None:
        self.net, self.seen = net, []

    def __call__(self, x: Tensor) -> Tensor:
        self.seen.append(x.shape)
        return self.net(x)


def run(kit: Any) -> None:
    net = Noting(kit)
    kit.chain("a list", net, kit.numbers(4, 6))
    kit.watch(seen=net.seen, kept_type=type(net.kept.get("x")).__name__, rows_type=type(net.rows).__name__)
    closure = Closure(Noting(kit))
    kit.chain("a closure", closure, kit.numbers(4, 6))
    kit.watch(closure=closure.seen)
