"""C2: a wide convolution called on another number of channels."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


class Wide(nn.Module):
    """A convolution of 64 channels."""

    def __init__(self, kit: Any) -> None:
        super().__init__()
        self.conv = kit.layer(nn.Conv2d(64, 64, 3, padding=1))
        self.up = kit.layer(nn.ConvTranspose2d(64, 64, 4, 2, 1))
        self.wrong: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.wrong is not None:
            return functional.conv2d(x, self.conv.weight, self.wrong, padding=1).mean((1, 2, 3))
        return self.conv(x).mean((1, 2, 3))


def run(kit: Any) -> None:
    net = Wide(kit)
    for channels in (32, 128):
        x = kit.numbers(16, channels, 16, 16)
        kit.call(f"{channels} channels", net, lambda x=x: net(x))
        kit.call(f"{channels} channels, transposed", net, lambda x=x: net.up(x))
        kit.chain(f"{channels} channels, a chain", net, x)
    x = kit.numbers(16, 64, 16, 16)
    kit.call("no rows", net, lambda: net(x[:0]))
    kit.call("smaller than the kernel", net, lambda: functional.conv2d(x[:, :, :2, :2], net.conv.weight))
    for name, wrong in (
        ("a short bias", kit.numbers(32)),
        ("a bias of another shape", kit.numbers(64, 1)),
        ("a long bias", kit.numbers(128)),
    ):
        net.wrong = wrong
        kit.call(name, net, lambda: net(x))
    net.wrong = None
    kit.call("negative padding", net, lambda: functional.conv2d(x, net.conv.weight, padding=-1))
    kit.call("stride 0", net, lambda: functional.conv2d(x, net.conv.weight, stride=0))
    kit.call(
        "output padding",
        net,
        lambda: functional.conv_transpose2d(x, net.up.weight, stride=2, padding=1, output_padding=2),
    )
    kit.call("one image", net, lambda: functional.conv2d(x[0], net.conv.weight, net.conv.bias, padding=1))
