from __future__ import annotations

import pytest
import torch

from ebmkit_fastconv.maps.transforms import transforms
from ebmkit_fastconv.maps.winograd import plan_kernel
from ebmkit_fastconv.maps.winograd_native import FoldedTranspose, NativeWinograd
from ebmkit_fastconv.reading.activations import Activation
from tests.plugins.fastconv.maps.convolutions import STRIDED, Case, error, images


@pytest.mark.parametrize("case", [*STRIDED, (3, 1, 1, 16), (3, 1, 0, 9), (5, 1, 2, 15)], ids=str)
def test_the_folded_product_is_the_transpose(case: tuple[int, int, int, int]) -> None:
    compiled = transforms()
    if compiled is None:
        pytest.skip("no C compiler")
    it = Case(*case)
    at = {"stride": it.stride, "padding": it.padding, "size": it.source}
    assert error(FoldedTranspose(it.weight, compiled, **at)(it.above), it.below) < 1e-6


def native(it: Case, rows: int) -> NativeWinograd:
    compiled = transforms()
    if compiled is None:
        pytest.skip("no C compiler")
    kernel = plan_kernel(it.weight, stride=it.stride, padding=it.padding, transposed=False)
    assert kernel is not None
    return NativeWinograd(kernel, compiled, source=it.source, target=it.target, rows=rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [2, 3, 5])
def test_any_number_of_rows_is_computed_part_by_part_in_memory_of_its_own(rows: int) -> None:
    """3 images are a whole part and a rest, one whole part, or less than one."""
    it = Case(3, 1, 1, 15)
    convolve = native(it, rows)
    first = convolve.whole(it.x, it.bias)
    kept = first.clone()
    assert error(first, it.y + it.bias) < 1e-5
    assert error(convolve.whole(-it.x), -it.y) < 1e-5
    assert torch.equal(first, kept)


@pytest.mark.parametrize("activation", [Activation("tanh"), Activation("silu")], ids=lambda each: each.name)
def test_smooth_activations_follow_the_convolution(activation: Activation) -> None:
    it = Case(5, 2, 2, 32)
    a = (it.y + it.bias).requires_grad_()
    exact = activation(a.clone())
    weight = images(1, *it.target[:2])
    (slope,) = torch.autograd.grad(exact, a, weight.double().expand_as(exact))
    result, memory = native(it, 4).activated(it.x, it.bias, activation)
    assert error(result, exact.detach()) < 1e-5
    assert error(memory, (exact if activation.remembers_result else a).detach()) < 1e-5
    top = native(it, 4).weighed(it.x, it.bias, activation, weight)
    assert error(top.gradient, slope) < 1e-4
    assert error(top.value, (exact * weight).flatten(1).sum(1).detach()) < 1e-4
