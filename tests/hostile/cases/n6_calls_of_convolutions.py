"""N6: calls of wide convolutions as torch takes them, and backward passes asked for in other ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class Wide(nn.Module):
    """Both convolutions."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.conv = kit.layer(nn.Conv2d(64, 64, 3, padding=1))
        self.up = kit.layer(nn.ConvTranspose2d(64, 64, 4, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def slopes(y: Tensor, leaves: list[Tensor], **options: Any) -> Tensor:
    """Gradients of several sums at once."""
    several = torch.stack([torch.ones_like(y), y.detach()])
    return torch.cat(
        [each.flatten() for each in torch.autograd.grad(y, leaves, several, is_grads_batched=True, **options)]
    )


def run(kit: Any) -> None:
    net, x = Wide(kit), kit.numbers(16, 64, 16, 16)
    w, b, up = net.conv.weight, net.conv.bias, net.up.weight
    leaf = x.clone().requires_grad_()
    calls = {
        "numpy's integers": lambda: functional.conv2d(x, w, b, stride=np.int64(1), padding=np.int64(1)),
        "numpy's integers, transposed": lambda: functional.conv_transpose2d(
            x, up, None, np.int64(2), np.int64(1)
        ),
        "numpy's integers in lists": lambda: functional.conv2d(x, w, b, [np.int64(1)], [np.int64(1), 1]),
        "a tensor for a number": lambda: functional.conv2d(
            x, w, b, stride=torch.tensor(1), padding=torch.tensor(1)
        ),
        "truth for a number": lambda: functional.conv2d(x, w, b, stride=True, padding=True),
        "a fraction": lambda: functional.conv2d(x, w, b, stride=1.0),
        "the word same": lambda: functional.conv2d(x, w, b, padding="same"),
        "another word": lambda: functional.conv2d(x, w, b, padding="other"),
        "an empty list": lambda: functional.conv2d(x, w, b, stride=[], padding=[]),
        "three sides": lambda: functional.conv2d(x, w, b, stride=(1, 1, 1), padding=1),
        "three sides of padding": lambda: functional.conv2d(x, w, b, stride=1, padding=(1, 1, 1)),
        "three sides of dilation": lambda: functional.conv2d(x, w, b, padding=1, dilation=(1, 1, 1)),
        "one side": lambda: functional.conv2d(x, w, b, stride=(1,), padding=[1], dilation=[1]),
        "sizes": lambda: functional.conv2d(x, w, b, stride=torch.Size([1, 1]), padding=torch.Size([1, 1])),
        "nothing for a stride": lambda: functional.conv2d(x, w, b, stride=None),
        "too many arguments": lambda: functional.conv2d(x, w, b, 1, 1, 1, 1, 1),
        "an unknown argument": lambda: functional.conv2d(x, w, b, wrong=1),
        "no kernel": lambda: functional.conv2d(x),
        "twice": lambda: functional.conv2d(x, w, b, 1, stride=1),
        "a list for a bias": lambda: functional.conv2d(x, w, [0.0] * 64),
        "no groups": lambda: functional.conv2d(x, w, b, groups=0),
        "true groups": lambda: functional.conv2d(x, w, b, padding=1, groups=True),
        "float64": lambda: functional.conv2d(x.double(), w.double(), b.double(), padding=1),
        "of mixed dtypes": lambda: functional.conv2d(x.double(), w.to(torch.float16), b),
        "expanded": lambda: functional.conv2d(x[:1].expand(16, -1, -1, -1), w, b, padding=1),
        "negative in memory": lambda: functional.conv2d(
            torch._neg_view(x), torch._neg_view(w), torch._neg_view(b), padding=1
        ),
        "a kernel that is an input": lambda: functional.conv2d(
            x, x[:16].reshape(64, 64, 8, 8)[..., :3, :3].contiguous(), padding=1
        ),
        "the image's own channels": lambda: functional.conv2d(
            x, x.view(-1)[: 64 * 64 * 9].view(64, 64, 3, 3), padding=1
        ),
        "extra rows": lambda: functional.conv_transpose2d(x, up, None, 2, 1, 1),
        "negative extra rows": lambda: functional.conv_transpose2d(x, up, None, 2, 1, -1),
        "as rows of numbers": lambda: net.conv(x).view(16, -1)[:, ::97],
        "as rows of numbers, transposed": lambda: net.up(x).view(16, -1)[:, ::97],
        "too much padding": lambda: functional.conv_transpose2d(x, up, None, 2, 40),
        "a square kernel of another side": lambda: functional.conv2d(x, w, b, padding=9),
        "an image under construction": lambda: functional.conv2d(x, w, b, padding=1, out=x),
        "of inference": lambda: inferred(net, x),
        "with nothing": lambda: functional.conv2d(
            torch._efficientzerotensor(16, 64, 16, 16, dtype=x.dtype), w, b, padding=1
        ),
    }
    for name, function in calls.items():
        kit.call(name, net, function)

    def jacobian() -> Tensor:
        small = x[:4, :, :16, :16]
        return torch.autograd.functional.jacobian(
            lambda y: net.conv(y).square().mean((1, 2, 3)), small, vectorize=True
        )

    ways = {
        "batched": lambda: slopes(net.conv(leaf), [leaf]),
        "batched, of a kernel": lambda: slopes(net.conv(x), [w, b]),
        "batched, both": lambda: slopes(net.conv(leaf), [leaf, w, b]),
        "batched, transposed": lambda: slopes(net.up(leaf), [leaf, up]),
        "batched, differentiable": lambda: slopes(net.conv(leaf), [leaf, w], create_graph=True),
        "jacobian": jacobian,
        "forward over": lambda: torch.func.jvp(net.conv, (x,), (torch.ones_like(x),))[1],
        "per example": lambda: torch.func.vmap(torch.func.grad(lambda y: net.conv(y[None]).square().sum()))(
            x
        ),
        "inside autocast": lambda: in_bfloat16(net.conv, leaf),
        "inside autocast, transposed": lambda: in_bfloat16(net.up, leaf),
        "hooked": lambda: hooked(net, leaf),
        "some of it": lambda: some(net, leaf),
        "changed since": lambda: changed(net, x),
        "views of gradients": lambda: torch.autograd.grad(net.conv(leaf).sum(), leaf)[0].view(16, -1)[
            :, ::97
        ],
        "twice the same": lambda: again(net, leaf),
    }
    for name, function in ways.items():
        kit.call(name, net, function)

    for name, module in (("convolution", net.conv), ("transposed", net.up)):
        kit.second(
            f"second, {name}", net, lambda y, module=module: module(y).square().mean((1, 2, 3)), x, [w, up]
        )


def in_bfloat16(module: nn.Module, x: Tensor) -> Tensor:
    """The dtype is part of the answer."""
    with torch.autocast("cpu", torch.bfloat16):
        return module(x)


def inferred(net: Wide, x: Tensor) -> Tensor:
    """States made in inference mode, outside."""
    with torch.inference_mode():
        y = x * 2
    with torch.no_grad():
        return net.conv(y)


def hooked(net: Wide, leaf: Tensor) -> Tensor:
    """A hook on the node of a convolution."""
    y = net.conv(leaf)
    y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 2, *inputs[1:]))
    return torch.autograd.grad(y.sum(), leaf)[0]


def some(net: Wide, leaf: Tensor) -> Tensor:
    """Half of the result is used."""
    (found,) = torch.autograd.grad(net.conv(leaf)[::2, ::3].sum(), leaf)
    return found


def changed(net: Wide, x: Tensor) -> Tensor:
    """A state that is overwritten before its backward pass."""
    h = (x * 1.0).requires_grad_() * 1.0
    y = net.conv(h)
    h.mul_(2.0)
    return torch.autograd.grad(y.sum(), net.conv.weight)[0]


def again(net: Wide, leaf: Tensor) -> Tensor:
    """A second backward pass through the same graph."""
    y = net.conv(leaf).square().sum()
    torch.autograd.grad(y, leaf)
    return torch.autograd.grad(y, leaf)[0]
