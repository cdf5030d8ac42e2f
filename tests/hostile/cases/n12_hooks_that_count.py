"""N12: hooks that change no answer, and are called once a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as tables


class Net(nn.Module):
    """Counts what its hooks tell."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).tanh()).squeeze(1)


def run(kit: Any) -> None:
    x = kit.numbers(4, 6)
    registrations: dict[str, Callable[[nn.Module, Callable[..., None]], Any]] = {
        "before": lambda layer, told: layer.register_forward_pre_hook(told),
        "after": lambda layer, told: layer.register_forward_hook(told),
        "of all, before": lambda layer, told: tables.register_module_forward_pre_hook(told),
        "of all, after": lambda layer, told: tables.register_module_forward_hook(told),
    }
    for name, register in registrations.items():
        net = Net(kit)

        def told(module: nn.Module, *others: Any, net: Net = net) -> None:
            net.calls += module is net.first

        kit.watch(**{name: net})
        kit.chain(f"{name}, nobody counts", Net(kit), x)
        handle = register(net.first, told)
        kit.chain(f"{name}, counted", net, x, steps=5)
        handle.remove()
