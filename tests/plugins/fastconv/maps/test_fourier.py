"""Convolutions in Fourier space against the direct sum in float64."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ebmkit.core import prepare, value_and_gradient
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_fastconv.maps import choice, fourier
from ebmkit_fastconv.maps.fourier import fourier_map

# outputs, inputs, kernel, stride, padding, side: the layers of texture networks, and odd ones.
LAYERS = [
    (40, 50, 9, 1, 4, 45),
    (48, 48, 9, 2, 4, 45),
    (24, 3, 15, 3, 7, 99),
    (32, 40, 11, 2, 0, 61),
    (32, 32, 8, 1, 2, 40),
    (30, 30, 7, 1, 6, 33),
]


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_it_is_the_convolution_and_its_transpose(
    layer: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fourier, "_WORTH", math.inf)
    outputs, inputs, kernel, stride, padding, side = layer
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    weight, x = draw(outputs, inputs, kernel, kernel), draw(2, inputs, side, side + 1)
    y = functional.conv2d(x.double(), weight.double(), stride=stride, padding=padding)
    g = draw(*y.shape)
    back = torch.nn.grad.conv2d_input(
        list(x.shape), weight.double(), g.double(), stride=stride, padding=padding
    )
    for read, written, transposed in ((x, y, False), (g, back, True)):
        way = fourier_map(
            weight,
            stride=stride,
            padding=padding,
            source=(inputs, side, side + 1),
            target=(outputs, y.shape[2], y.shape[3]),
            transposed=transposed,
        )
        assert way is not None
        result = way(read)
        assert result.shape == written.shape
        assert (result - written).norm() < 1e-6 * written.norm()
        assert torch.equal(result[1:], way(read[1:]))


@pytest.mark.parametrize(
    ("outputs", "inputs", "kernel", "side"),
    [(64, 64, 5, 64), (4, 1, 7, 16), (64, 64, 15, 20), (48, 1, 15, 224)],
)
def test_where_the_direct_sum_is_cheaper_there_is_none(
    outputs: int, inputs: int, kernel: int, side: int
) -> None:
    weight = torch.zeros(outputs, inputs, kernel, kernel)
    target = (outputs, side - kernel + 1, side - kernel + 1)
    source = (inputs, side, side)
    assert fourier_map(weight, stride=1, padding=0, source=source, target=target, transposed=False) is None


def test_more_threads_help_the_direct_sum_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Measured on 38x38 images: 0.70 of the direct sum's time with one thread, 1.22 with two.
    weight, at = torch.zeros(48, 48, 7, 7), {"source": (48, 38, 38), "target": (48, 38, 38)}
    ways = []
    for threads in (1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        ways.append(fourier_map(weight, stride=1, padding=3, transposed=False, **at))
    assert [way is not None for way in ways] == [True, False]


def test_a_texture_descriptor_goes_fouriers_way_to_the_same_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layers = {"channels": [24, 48, 48], "kernels": [15, 9, 7], "strides": [3, 1, 1]}
    energy = ConvDescriptor((3, 96, 96), head="sum", reference_std=math.inf, **layers)
    x = torch.randn(2, 3, 96, 96)
    taken: list[bool] = []

    def watched(*args: Tensor, **kwargs: object) -> object:
        found = fourier_map(*args, **kwargs)  # type: ignore[arg-type]
        taken.append(found is not None)
        return found

    monkeypatch.setattr(choice, "fourier_map", watched)
    fast = prepare(energy, x).value_and_gradient(x)
    assert any(taken)
    exact = value_and_gradient(copy.deepcopy(energy).double(), x.double())
    assert torch.allclose(fast.value, exact.value.double(), rtol=1e-6)
    assert (fast.gradient - exact.gradient).norm() < 1e-4 * exact.gradient.norm()
