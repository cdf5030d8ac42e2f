"""C1: something in place behind a wide convolution."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def run(kit: Any) -> None:
    x = kit.numbers(16, 64, 16, 16)
    first = nn.Sequential(
        kit.layer(nn.Conv2d(64, 64, 3, padding=1)),
        nn.ReLU(inplace=True),
        kit.layer(nn.Conv2d(64, 8, 3)),
        nn.Sigmoid(),
    )
    down = nn.Sequential(kit.layer(nn.Conv2d(64, 128, 4, 2, 1)), nn.ReLU(inplace=True))
    up = nn.Sequential(kit.layer(nn.ConvTranspose2d(64, 64, 4, 2, 1)), nn.LeakyReLU(0.2, inplace=True))
    images = kit.numbers(16, 64, 32, 32)
    for name, net, at in (("stride 1", first, x), ("stride 2", down, images), ("transposed", up, x)):
        kit.chain(name, Mean(net), at, steps=1)
        kit.learn(f"{name}, learning", net, lambda net=net, at=at: net(at).mean(), net.parameters())
    net = Residual(kit)
    kit.chain("y += h", net, x, steps=1)
    kit.learn("y += h, learning", net, lambda: net(x).sum(), net.parameters())


class Mean(nn.Module):
    """The mean square of what a net gives."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).square().mean((1, 2, 3))


class Residual(nn.Module):
    """A residual sum in place."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.conv = kit.layer(nn.Conv2d(64, 64, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        h = x.tanh()
        y = self.conv(h)
        y += h
        y.mul_(2.0)
        return y.square().mean((1, 2, 3))
