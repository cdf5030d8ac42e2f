"""Zeros between convolutions, as a GPU gets them: other shapes, the same closed form."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ebmkit.core import Precision
from ebmkit_fastconv.chains.alignment import aligned
from ebmkit_fastconv.chains.closed_form import closed_form
from ebmkit_fastconv.reading.reader import read
from ebmkit_fastconv.reading.stack import Convolution, Stack
from tests.core.graph.test_alignment import images, stack


def stack_of(activation: nn.Module) -> Stack:
    reading = read(stack(activation), images())
    assert reading is not None
    return reading.stack


def shapes(stack: Stack) -> list[tuple[int, ...]]:
    assert stack.features is not None
    return [tuple(layer.weight.shape) for layer in stack.features.layers if isinstance(layer, Convolution)]


@pytest.mark.parametrize("precision", ["fp32", "mixed", "bf16"])
@pytest.mark.parametrize("activation", [nn.LeakyReLU(0.2), nn.Softplus()], ids=repr)
def test_a_stack_with_aligned_channels_is_the_same_energy(
    activation: nn.Module, precision: Precision
) -> None:
    x, bare = images(), stack_of(activation)
    wide = aligned(bare)
    assert shapes(bare) == [(100, 3, 5, 5), (50, 100, 3, 3), (9, 50, 3, 3)]
    assert shapes(wide) == [(104, 3, 5, 5), (56, 104, 3, 3), (9, 56, 3, 3)]
    found, exact = (closed_form(each, x, precision)(x) for each in (wide, bare))
    tolerance = 1e-5 if precision == "fp32" else 1e-2
    assert torch.allclose(found.value, exact.value, rtol=tolerance)
    assert float((found.gradient - exact.gradient).norm()) < tolerance * float(exact.gradient.norm())
