"""Winograd's maps, in torch and compiled, against torch's convolution in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ebmkit_fastconv.maps.direct import LinearMap
from ebmkit_fastconv.maps.transforms import transforms
from ebmkit_fastconv.maps.winograd import OUT, cook_toom, plan_kernel
from ebmkit_fastconv.maps.winograd_native import NativeWinograd
from ebmkit_fastconv.maps.winograd_torch import TorchWinograd
from tests.plugins.fastconv.maps.convolutions import (
    WINOGRAD,
    Case,
    check_fused,
    error,
)


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
    assert error(forward(it.x), it.y) < 1e-5
    assert error(transpose(it.above), it.below) < 1e-5
    assert torch.equal(forward(it.x), forward(it.x)), "a second call finds nothing of the first"
    check_fused(forward, transpose, it)


@pytest.mark.parametrize("kernel", [(2, 1, 0), (4, 1, 1), (3, 2, 1), (4, 2, 2), (3, 1, 0), (5, 2, 0)])
def test_winograd_leaves_other_convolutions_alone(kernel: tuple[int, int, int]) -> None:
    size, stride, padding = kernel
    weight = torch.randn(8, 8, size, size)
    assert plan_kernel(weight, stride=stride, padding=padding, transposed=False) is None
