"""N10: energies written with transforms, other kinds of tensors, and blocks of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, stack_module_state, vmap
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


class Net(nn.Module):
    """A perceptron, used in some way."""

    def __init__(self, kit: Any, use: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = kit.layer(nn.Linear(6, 16)), kit.layer(nn.Linear(16, 1))
        self.third = kit.layer(nn.Linear(16, 16))
        self.state = {"weight": kit.numbers(16, 6), "bias": kit.numbers(16)}
        self.use = use

    def of_rows(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).tanh()).squeeze(1)

    def of_row(self, r: Tensor) -> Tensor:
        return self.second(self.first(r).tanh()).squeeze(0)

    def forward(self, x: Tensor) -> Tensor:
        return self.use(self, x)


def _penalty(net: Net, x: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = x if x.requires_grad else x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(net.of_rows(leaf).sum(), leaf, create_graph=True)
    return net.of_rows(x) + slope.square().sum(1)


def _inferred(net: Net, x: Tensor) -> Tensor:
    with torch.inference_mode():
        size = net.first.weight.norm()
    return net.of_rows(x) * size.clone()


def _autocast(net: Net, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        h = net.first(x)
    return net.second(h.to(x.dtype).tanh()).squeeze(1)


def _without(net: Net, x: Tensor) -> Tensor:
    with torch.no_grad():
        scale = net.third.weight.norm()
        shares = net.first(x).softmax(1)
    return (net.first(x).tanh() * shares).sum(1) * scale


USES: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "rows by vmap": lambda net, x: vmap(net.of_row)(x),
    "squared scores": lambda net, x: vmap(grad(net.of_row))(x).square().sum(1),
    "along a direction": lambda net, x: jvp(net.of_rows, (x,), (torch.ones_like(x),))[1],
    "other parameters": lambda net, x: net.second(functional_call(net.first, net.state, (x,)).tanh())[:, 0],
    "a gradient inside": _penalty,
    "a number of inference mode": _inferred,
    "autocast inside": _autocast,
    "weights without gradients": _without,
    "spectra": lambda net, x: torch.fft.rfft(net.first(x)).abs().sum(1),
    "complex inside": lambda net, x: torch.complex(net.first(x), net.first(x).tanh()).abs().square().sum(1),
    "sparse weights": lambda net, x: (
        torch.sparse.mm(net.first.weight.detach().to_sparse(), x.T).T.tanh().sum(1)
    ),
    "checkpointed": lambda net, x: net.second(checkpoint(net.first, x, use_reentrant=False).tanh())[:, 0],
    "checkpointed, reentrant": lambda net, x: net.second(checkpoint(net.first, x, use_reentrant=True).tanh())[
        :, 0
    ],
    "two paths": lambda net, x: (net.first(x).tanh() + net.third(net.first(x).tanh())).sum(1),
    "a path that joins": lambda net, x: net.second(net.third(net.first(x)) * net.first(x))[:, 0],
    "the same layer twice": lambda net, x: net.second(net.third(net.third(net.first(x).tanh()).tanh()))[:, 0],
    "nothing but x": lambda net, x: x.square().sum(1) / 2 + 0 * net.of_rows(x),
    "two energies": lambda net, x: net.of_rows(x) + net.of_rows(-x),
    "a part of the batch": lambda net, x: torch.cat([net.of_rows(x[:1]), net.of_rows(x[1:]) * 2]),
    "rows in another order": lambda net, x: net.of_rows(x.flip(0)).flip(0),
    "rows that see each other": lambda net, x: net.of_rows(x - x.mean(0)),
    "the largest": lambda net, x: net.first(x).amax(1),
    "dropped rows": lambda net, x: torch.where(x.norm(dim=1) > 2, net.of_rows(x), 0.5 * net.of_rows(x)),
    "out of place": lambda net, x: torch.add(net.of_rows(x), 1.0, alpha=2.0),
    "bilinear": lambda net, x: torch.einsum("bi,bj->b", net.first(x), net.first(x)),
    "under a name of torch's": lambda net, x: (
        functional.linear(x, net.first.weight.clone(), None).tanh().sum(1)
    ),
}


def run(kit: Any) -> None:
    for name, use in USES.items():
        net, x = Net(kit, use), kit.numbers(3, 6)
        kit.chain(name, net, x, steps=3)
        net.state["bias"].mul_(2)
        with torch.no_grad():
            net.first.weight.mul_(0.5)
        kit.chain(f"{name}, changed", net, x)
        kit.gradient(f"{name}, one row", net, x[:1])
    members = [Net(kit, Net.of_rows) for _ in range(3)]
    weights, buffers = stack_module_state(members)

    def ensemble(x: Tensor) -> Tensor:
        each = vmap(lambda w, b: functional_call(members[0], (w, b), (x,)))(weights, buffers)
        return each.mean(0)

    kit.chain("an ensemble", ensemble, kit.numbers(3, 6))
    with torch.autocast("cpu", torch.bfloat16):
        net = Net(kit, Net.of_rows)
        kit.gradient("inside autocast", net, kit.numbers(3, 6))
