"""N4: energies that become others where a chain goes, by ways that no operation shows."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


class Far(nn.Module):
    """Ten times weaker far away, by a number that was made of x out of sight."""

    def __init__(self, kit: Any, way: str) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.way = way

    def size(self, x: Tensor) -> Any:
        if self.way == "copied deeply":
            return copy.deepcopy(x).detach().abs().max().item()
        if self.way == "another library":
            return torch.from_dlpack(torch.utils.dlpack.to_dlpack(x.detach())).abs().max().item()
        if self.way == "text":
            return max(abs(float(each)) for each in f"{x.detach().abs().max():.4f}".split())
        if self.way == "memory":
            return torch.tensor([], dtype=x.dtype).set_(x.detach().untyped_storage()).abs().max().item()
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        value = 20 * self.second(self.first(x).tanh()).squeeze(1)
        return 0.1 * value if self.size(x) > 3.0 else value


class Counted(nn.Module):
    """A factor that no operation shows: of how many rows there are, or of x, in another thread."""

    def __init__(self, kit: Any, way: str) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.way = way

    def forward(self, x: Tensor) -> Tensor:
        value = self.second(self.first(x).tanh()).squeeze(1)
        if self.way == "rows":
            return value * (1 + len(x) / 10)
        if self.way == "many rows":
            return value * (3 if len(x) > 8 else 1)
        with ThreadPoolExecutor(1) as pool:
            return value * pool.submit(lambda: float(x.detach().norm())).result()


class Packed(nn.Module):
    """What is kept for the way back is clamped: nothing at the start, much later."""

    def __init__(self, kit: Any, *, kept: bool) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 32)), kit.layer(nn.Linear(32, 1))
        self.kept = kept

    def forward(self, x: Tensor) -> Tensor:
        def clamped(h: Tensor) -> Tensor:
            return h.clamp(-0.6, 0.6)

        def same(h: Tensor) -> Tensor:
            return h

        pack, unpack = (clamped, same) if self.kept else (same, clamped)
        h = self.first(x)
        with saved_tensors_hooks(pack, unpack):
            h = h.tanh()
        return 20 * self.second(h).squeeze(1)


def run(kit: Any) -> None:
    for way in ("copied deeply", "another library", "text", "memory"):
        kit.chain(way, Far(kit, way), kit.numbers(2, 6, scale=0.2), steps=8)
    kit.chain("rows", Counted(kit, "rows"), kit.numbers(5, 6))
    kit.chain("many rows", Counted(kit, "many rows"), kit.numbers(12, 6))
    kit.chain("a factor of another thread", Counted(kit, "thread"), kit.numbers(1, 6), steps=3)
    for kept in (False, True):
        net, x = Packed(kit, kept=kept), kit.numbers(2, 6, scale=0.05)
        with torch.no_grad():
            net.first.bias.mul_(0.1)
            net.first.weight.mul_(0.5)
        kit.chain(f"packed {kept}", net, x, steps=8)
        net = Packed(kit, kept=kept)
        with torch.no_grad():
            net.second.weight.zero_()  # as many begin: every gradient is 0
        kit.chain(f"packed {kept}, at first 0", net, x, steps=1)
        with torch.no_grad():
            net.second.weight.add_(1.0)
        kit.chain(f"packed {kept}, then not", net, x, steps=2)
