"""Every map against torch's convolution in float64, and its transpose against torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input

from ebmkit_fastconv.maps.direct import DirectConvolution, LinearMap, ShuffledTranspose, StridedTranspose
from ebmkit_fastconv.maps.transforms import transforms
from ebmkit_fastconv.maps.winograd import OUT, cook_toom, plan_kernel
from ebmkit_fastconv.maps.winograd_native import FoldedTranspose, NativeWinograd
from ebmkit_fastconv.maps.winograd_torch import TorchWinograd
from ebmkit_fastconv.reading.activations import Activation

LEAKY = Activation("leaky", 0.2)
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
        self.x = _images(3, 20, side)
        self.y = functional.conv2d(self.x.double(), self.weight.double(), None, stride, padding)
        self.above = _images(*self.y.shape[:3])
        self.below = conv2d_input(
            self.x.shape, self.weight.double(), self.above.double(), stride=stride, padding=padding
        )
        self.source, self.target = tuple(self.x.shape[1:]), tuple(self.y.shape[1:])


def _images(rows: int, channels: int, side: int) -> Tensor:
    return torch.randn(rows, channels, side, side).contiguous(memory_format=torch.channels_last)


def _error(found: Tensor, exact: Tensor) -> float:
    assert found.shape == exact.shape
    return float((found - exact).norm() / exact.norm())


def _check_fused(forward: LinearMap, transpose: LinearMap, case: Case) -> None:
    """Bias, activation, weight of the features, derivative of the layer below: as written out."""
    a = case.y + case.bias
    result, memory = forward.activated(case.x, case.bias, LEAKY)
    assert _error(result, functional.leaky_relu(a, 0.2)) < 1e-5
    assert torch.equal(memory, result)
    weight = torch.randn(1, *case.target).contiguous(memory_format=torch.channels_last)
    top = forward.weighed(case.x, case.bias, LEAKY, weight)
    assert _error(top.gradient, torch.where(a > 0, weight, 0.2 * weight).double()) < 1e-6
    assert _error(top.value, (functional.leaky_relu(a, 0.2) * weight).flatten(1).sum(1)) < 1e-4
    masked = transpose.masked(case.above, case.x, LEAKY)
    assert _error(masked, torch.where(case.x > 0, case.below, 0.2 * case.below)) < 1e-5


@pytest.mark.parametrize("taps", [2, 3, 5])
def test_the_transforms_of_winograd_compute_the_convolution_of_a_tile(taps: int) -> None:
    matrices = cook_toom(taps)
    data, kernel = np.random.default_rng(0).normal(size=(2, 8))
    data, kernel = data[: OUT + taps - 1], kernel[:taps]
    result = matrices.result @ ((matrices.kernel @ kernel) * (matrices.data @ data))
    assert np.abs(result - np.correlate(data, kernel, "valid")).max() < 1e-13


@pytest.mark.parametrize("case", WINOGRAD, ids=str)
@pytest.mark.parametrize("native", [False, True], ids=["torch", "native"])
def test_winograd_is_the_convolution(native: bool, case: tuple[int, int, int, int]) -> None:
    compiled = transforms()
    if native and compiled is None:
        pytest.skip("no C compiler")
    it = Case(*case)

    def make(source: tuple[int, ...], target: tuple[int, ...], *, transposed: bool) -> LinearMap:
        kernel = plan_kernel(it.weight, stride=it.stride, padding=it.padding, transposed=transposed)
        assert kernel is not None
        sizes = {"source": source, "target": target, "rows": 4 if transposed else 3}
        if native:
            assert compiled is not None
            return NativeWinograd(kernel, compiled, **sizes)
        return TorchWinograd(kernel, **sizes)

    forward = make(it.source, it.target, transposed=False)
    transpose = make(it.target, it.source, transposed=True)
    assert _error(forward(it.x), it.y) < 1e-5
    assert _error(transpose(it.above), it.below) < 1e-5
    assert torch.equal(forward(it.x), forward(it.x)), "a second call finds nothing of the first"
    _check_fused(forward, transpose, it)


@pytest.mark.parametrize("case", [*WINOGRAD, (4, 2, 1, 64), (15, 3, 7, 60)], ids=str)
def test_direct_convolutions_are_the_convolution(case: tuple[int, int, int, int]) -> None:
    it = Case(*case)
    forward = DirectConvolution(it.weight, stride=it.stride, padding=it.padding, size=tuple(it.x.shape))
    transpose = StridedTranspose(it.weight, stride=it.stride, padding=it.padding, size=it.source)
    assert _error(forward(it.x), it.y) < 5e-6
    assert _error(transpose(it.above), it.below) < 5e-6
    _check_fused(forward, transpose, it)


@pytest.mark.parametrize("case", STRIDED, ids=str)
def test_the_shuffled_phases_are_the_transpose(case: tuple[int, int, int, int]) -> None:
    it = Case(*case)
    transpose = ShuffledTranspose(it.weight, stride=it.stride, padding=it.padding, size=it.source, rows=3)
    assert _error(transpose(it.above), it.below) < 1e-6


@pytest.mark.parametrize("case", [*STRIDED, (3, 1, 1, 16), (3, 1, 0, 9), (5, 1, 2, 15)], ids=str)
def test_the_folded_product_is_the_transpose(case: tuple[int, int, int, int]) -> None:
    compiled = transforms()
    if compiled is None:
        pytest.skip("no C compiler")
    it = Case(*case)
    at = {"stride": it.stride, "padding": it.padding, "size": it.source}
    assert _error(FoldedTranspose(it.weight, compiled, **at)(it.above), it.below) < 1e-6


@pytest.mark.parametrize("kernel", [(2, 1, 0), (4, 1, 1), (3, 2, 1), (4, 2, 2), (3, 1, 0), (5, 2, 0)])
def test_winograd_leaves_other_convolutions_alone(kernel: tuple[int, int, int]) -> None:
    size, stride, padding = kernel
    weight = torch.randn(8, 8, size, size)
    assert plan_kernel(weight, stride=stride, padding=padding, transposed=False) is None
