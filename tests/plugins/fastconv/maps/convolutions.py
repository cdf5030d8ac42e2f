"""A convolution with something to apply it to, and what comes out by torch in float64."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input

from ebmkit_fastconv.maps.direct import LinearMap
from ebmkit_fastconv.reading.activations import Activation

LEAKY, SILU = Activation("leaky", 0.2), Activation("silu")
WINOGRAD = [
    (3, 1, 1, 16),
    (3, 1, 1, 15),
    (5, 1, 2, 16),
    (5, 2, 2, 32),
    (5, 2, 1, 32),
    (5, 2, 1, 31),
    (5, 2, 2, 33),
    (4, 2, 1, 32),
    (4, 2, 1, 33),
]
STRIDED = [
    *WINOGRAD[3:],
    (4, 2, 1, 64),
    (3, 2, 1, 31),
    (4, 2, 2, 32),
    (2, 2, 0, 8),
    (7, 2, 3, 32),
    (15, 3, 7, 60),
    (15, 3, 7, 61),
    (4, 4, 0, 30),
    (5, 3, 0, 32),
]


class Case:
    """A convolution with something to apply it to, and what comes out in float64."""

    def __init__(self, kernel: int, stride: int, padding: int, side: int) -> None:
        torch.manual_seed(0)
        self.stride, self.padding = stride, padding
        self.weight = torch.randn(24, 20, kernel, kernel)
        self.bias = torch.randn(1, 24, 1, 1)
        self.x = images(3, 20, side)
        self.y = functional.conv2d(self.x.double(), self.weight.double(), None, stride, padding)
        self.above = images(*self.y.shape[:3])
        self.below = conv2d_input(
            self.x.shape, self.weight.double(), self.above.double(), stride=stride, padding=padding
        )
        self.source, self.target = tuple(self.x.shape[1:]), tuple(self.y.shape[1:])


def images(rows: int, channels: int, side: int) -> Tensor:
    return torch.randn(rows, channels, side, side).contiguous(memory_format=torch.channels_last)


def error(found: Tensor, exact: Tensor) -> float:
    assert found.shape == exact.shape
    return float((found - exact).norm() / exact.norm())


def check_fused(forward: LinearMap, transpose: LinearMap, case: Case) -> None:
    """Bias, activation, weight of the features, derivative of the layer below: as written out."""
    a = case.y + case.bias
    result, memory = forward.activated(case.x, case.bias, LEAKY)
    assert error(result, functional.leaky_relu(a, 0.2)) < 1e-5
    assert torch.equal(memory, result)
    result, memory = forward.activated(case.x, case.bias, SILU)
    assert error(result, functional.silu(a)) < 1e-5
    assert error(memory, a) < 1e-5
    weight = torch.randn(1, *case.target).contiguous(memory_format=torch.channels_last)
    top = forward.weighed(case.x, case.bias, LEAKY, weight)
    assert error(top.gradient, torch.where(a > 0, weight, 0.2 * weight).double()) < 1e-6
    assert error(top.value, (functional.leaky_relu(a, 0.2) * weight).flatten(1).sum(1)) < 1e-4
    masked = transpose.masked(case.above, case.x, LEAKY)
    assert error(masked, torch.where(case.x > 0, case.below, 0.2 * case.below)) < 1e-5
