"""N11: energies that turn along the chain by a number of x that another thread computes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from torch import Tensor, nn

WAYS = {
    "largest number": lambda x: x.abs().max().item() > 3.0,
    "norm of all": lambda x: x.norm().item() > 8.0,
    "every row": lambda x: x.abs().amax(1).min().item() > 2.0,
    "longest row": lambda x: x.norm(dim=1).max().item() > 6.0,
}


class Turning(nn.Module):
    """A tenth of itself far away, or with the gradient of a tenth."""

    def __init__(self, kit: Any, way: str, *, cut: bool) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.is_far, self.cut = WAYS[way], cut

    def forward(self, x: Tensor) -> Tensor:
        value = 20 * self.second(self.first(x).tanh()).squeeze(1)
        with ThreadPoolExecutor(1) as pool:
            far = pool.submit(self.is_far, x).result()
        if not far:
            return value
        return 0.9 * value.detach() + 0.1 * value if self.cut else 0.1 * value


class Doubled(nn.Module):
    """Made of one that turns."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return 2 * self.inner(x)


def run(kit: Any) -> None:
    for way in WAYS:
        for cut in (False, True):
            net, x = Turning(kit, way, cut=cut), kit.numbers(4, 6, scale=0.2)
            name = f"{way}, {'gradient' if cut else 'energy'}"
            kit.chain(f"{name}, a step", net, x, steps=1)
            kit.chain(f"{name}, some", net, x, steps=8)
            kit.chain(f"{name}, again", net, x, steps=8, noise=True)
            kit.chain(f"{name}, one row", Turning(kit, way, cut=cut), x[:1], steps=12)
            kit.chain(f"{name}, inside", Doubled(Turning(kit, way, cut=cut)), x, steps=8)
    many = kit.numbers(40, 6, scale=0.2)
    many[17] *= 10
    kit.chain("one of many rows", Turning(kit, "longest row", cut=False), many, steps=6)
    start = kit.numbers(4, 6, scale=0.05)  # strides of one step, because a prime number has no other
    kit.chain("a graph", Turning(kit, "longest row", cut=True), start, steps=23, step_size=0.5, graph=True)
