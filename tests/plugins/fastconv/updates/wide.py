"""Wide layers, and all that comes out of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def errors(found: tuple[Tensor, ...], exact: tuple[Tensor, ...]) -> list[float]:
    return [float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, exact, strict=True)]


def wide_layer(case: tuple[int, int, int, int], *, transposed: bool) -> tuple[nn.Module, Tensor]:
    """A wide layer and an input of its: 19 rows, which are no whole number of parts."""
    torch.manual_seed(0)
    kernel, stride, padding, side = case
    of_result = (side + 2 * padding - kernel) // stride + 1
    if not transposed:
        return nn.Conv2d(64, 80, kernel, stride, padding), torch.randn(19, 64, side, side)
    extra = side - ((of_result - 1) * stride - 2 * padding + kernel)
    layer = nn.ConvTranspose2d(80, 64, kernel, stride, padding, output_padding=extra)
    return layer, torch.randn(19, 80, of_result, of_result)


def everything(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """The result, and the gradients of input, weight and bias under weights that no symmetry hides."""
    x = x.clone().requires_grad_()
    y = layer(x)
    weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape).cos()
    return y.detach(), *torch.autograd.grad((y * weights).sum(), [x, *layer.parameters()])
