from __future__ import annotations

import pytest
import torch

from ebmkit_fastconv.maps.winograd import OUT, plan_kernel
from ebmkit_fastconv.maps.winograd_torch import TorchWinograd
from tests.plugins.fastconv.maps.convolutions import WINOGRAD, Case, error


def forward(case: tuple[int, int, int, int], rows: int) -> tuple[Case, TorchWinograd]:
    it = Case(*case)
    kernel = plan_kernel(it.weight, stride=it.stride, padding=it.padding, transposed=False)
    assert kernel is not None
    return it, TorchWinograd(kernel, source=it.source, target=it.target, rows=rows)  # type: ignore[arg-type]


def test_fewer_rows_than_planned_are_the_same_rows() -> None:
    it, convolve = forward((3, 1, 1, 16), rows=5)
    whole = convolve(it.x)
    assert error(whole, it.y) < 1e-5
    for row in range(3):
        assert torch.equal(convolve(it.x[row : row + 1]), whole[row : row + 1])


def test_what_was_computed_before_leaves_nothing_at_the_edges() -> None:
    """The padded image is kept from call to call; its margin stays zero."""
    it, convolve = forward((5, 1, 2, 16), rows=3)
    convolve(1e6 * torch.ones_like(it.x))
    assert error(convolve(it.x), it.y) < 1e-5


@pytest.mark.parametrize("case", WINOGRAD, ids=str)
def test_tiles_cover_the_result_and_not_a_whole_one_more(case: tuple[int, int, int, int]) -> None:
    it, convolve = forward(case, rows=3)
    at = convolve.geometry
    side = OUT * at.kernel.output_phases
    for tiles, length in zip(at.tiles, it.target[1:], strict=True):
        assert (tiles - 1) * side < length <= tiles * side
    assert at.count == 3 * at.tiles[0] * at.tiles[1]
    points = torch.randn(at.count, at.size**2, convolve.channels)
    assert convolve.products(points).shape == (at.count, at.size**2, convolve.results)
