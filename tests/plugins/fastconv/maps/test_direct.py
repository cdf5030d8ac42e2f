"""Every other map against torch's convolution in float64, and its transpose against torch's own."""

from __future__ import annotations

import pytest

from ebmkit_fastconv.maps.direct import DirectConvolution, ShuffledTranspose, StridedTranspose
from tests.plugins.fastconv.maps.convolutions import (
    STRIDED,
    WINOGRAD,
    Case,
    check_fused,
    error,
)


@pytest.mark.parametrize("case", [*WINOGRAD[:3], *STRIDED], ids=str)
def test_direct_convolutions_are_the_convolution(case: tuple[int, int, int, int]) -> None:
    it = Case(*case)
    forward = DirectConvolution(it.weight, stride=it.stride, padding=it.padding, size=tuple(it.x.shape))
    transpose = StridedTranspose(it.weight, stride=it.stride, padding=it.padding, size=it.source)
    assert error(forward(it.x), it.y) < 5e-6
    assert error(transpose(it.above), it.below) < 5e-6
    check_fused(forward, transpose, it)


@pytest.mark.parametrize("case", STRIDED, ids=str)
def test_the_shuffled_phases_are_the_transpose(case: tuple[int, int, int, int]) -> None:
    it = Case(*case)
    transpose = ShuffledTranspose(it.weight, stride=it.stride, padding=it.padding, size=it.source, rows=3)
    assert error(transpose(it.above), it.below) < 1e-6
