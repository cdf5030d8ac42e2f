from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ebmkit_fastconv.maps import choice
from ebmkit_fastconv.maps.choice import (
    Block,
    blocks_of,
    chunk_rows,
    fills_tiles,
    is_wide,
    is_winograd,
    tiles_of,
)
from ebmkit_fastconv.maps.processor import EVERYWHERE, NARROW, WIDE, Rules
from ebmkit_fastconv.maps.winograd_torch import WinogradMap
from ebmkit_fastconv.reading.activations import IDENTITY, Activation
from ebmkit_fastconv.reading.stack import Convolution, Dense, Features, Layer, Stack
from tests.models import double
from tests.plugins.fastconv.maps.convolutions import error, images

CPU, TANH = torch.device("cpu"), Activation("tanh")


def convolution(outputs: int, inputs: int, kernel: int, stride: int, padding: int) -> Convolution:
    return Convolution(double(outputs, inputs, kernel, kernel).float(), None, stride, padding)


def blocks(shape: tuple[int, ...], *layers: Layer) -> list[Block]:
    return blocks_of(Stack(features=Features(layers, ())), shape)


# Of few channels and many, strides with transposes of their own, one for Winograd's way, and rows of numbers.
LAYERS = [
    (convolution(6, 3, 5, 2, 2), (3, 15, 16)),
    (convolution(8, 12, 5, 1, 1), (12, 9, 9)),
    (convolution(8, 12, 4, 2, 1), (12, 16, 14)),
    (convolution(8, 12, 3, 1, 4), (12, 9, 9)),
    (convolution(96, 96, 3, 1, 1), (96, 16, 16)),
    (Dense(double(7, 5 * 4 * 3).float(), None), (5, 4, 3)),
    (Dense(double(7, 12).float(), None), (12,)),
]


def name(value: object) -> str:
    return str(tuple(value.weight.shape)) if isinstance(value, (Convolution, Dense)) else ""


def in_float64(layer: Convolution | Dense, x: Tensor) -> Tensor:
    weight = layer.weight.double()
    if isinstance(layer, Dense):
        return functional.linear(x.double().flatten(1), weight)
    return functional.conv2d(x.double(), weight, None, layer.stride, layer.padding)


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_whichever_maps_are_chosen_are_the_layer_and_its_transpose(
    layer: Convolution | Dense, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    (block,) = blocks(shape, layer)
    x = images(3, *shape[:2]) if shape[1:] and shape[1] == shape[2] else double(3, *shape).float()
    if x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    exact = in_float64(layer, x)
    assert block.target == tuple(exact.shape[1:])
    above = double(*exact.shape, seed=1).float()
    if above.ndim == 4:
        above = above.contiguous(memory_format=torch.channels_last)
    wide = x.double().requires_grad_()
    (below,) = torch.autograd.grad(in_float64(layer, wide), wide, above.double())
    allowed = 1e-5 if dtype == torch.float32 else 1e-2
    assert error(block.forward_map(3, dtype)(x.to(dtype)), exact) < allowed
    assert error(block.transposed_map(3, dtype)(above.to(dtype)), below) < allowed


def test_each_layer_comes_with_the_activation_that_follows_it() -> None:
    first, second = convolution(6, 3, 5, 2, 2), Dense(double(7, 6 * 64).float(), double(7).float())
    found = blocks((3, 16, 16), first, TANH, second)
    assert [(block.layer, block.activation) for block in found] == [(first, TANH), (second, IDENTITY)]
    assert [(block.source, block.target) for block in found] == [((3, 16, 16), (6, 8, 8)), ((6, 8, 8), (7,))]
    assert torch.equal(found[0].bias(torch.float32), torch.zeros(6, 1, 1))
    assert torch.equal(found[1].bias(torch.float32), double(7).float())
    assert blocks_of(Stack(quadratic=1.0), (3,)) == []


def test_examples_are_taken_in_chunks_that_a_cache_holds_and_that_waste_little() -> None:
    deep = blocks((1, 8, 8), convolution(4, 1, 3, 1, 1))
    for rows in range(1, 300):
        chunk = chunk_rows(deep, rows, CPU)
        assert chunk <= 32
        assert chunk == rows or chunk >= 16
        assert -rows % chunk <= min(-rows % size for size in (16, 24, 32)) or rows < 32
    assert [chunk_rows(deep, rows, CPU) for rows in (32, 48, 64, 96)] == [32, 24, 32, 32]
    assert chunk_rows(deep, 300, torch.device("meta")) == 300
    assert chunk_rows(blocks((12,), Dense(double(7, 12).float(), None)), 300, CPU) == 300


def test_winograds_way_is_for_wide_layers_whose_results_fill_tiles_of_four() -> None:
    assert fills_tiles((9, 16, 16))
    assert fills_tiles((9, 15, 15))  # 225 of 256
    assert not fills_tiles((9, 9, 9))  # 81 of 144
    assert is_wide(torch.empty(64, 96, 3, 3))
    assert not is_wide(torch.empty(64, 63, 3, 3))
    wide, narrow = convolution(96, 96, 3, 1, 1), convolution(96, 16, 3, 1, 1)
    cases = (
        (wide, 16, True),
        (wide, 9, False),
        (narrow, 16, False),
        (convolution(96, 96, 3, 2, 1), 32, False),
    )
    for layer, side, expected in cases:
        (block,) = blocks((layer.weight.shape[1], side, side), layer)
        assert is_winograd(block) is expected


@pytest.mark.parametrize(
    ("of", "place", "least"),
    [
        (NARROW, (3, 1, 1), 1),
        (NARROW, (4, 2, 1), 64),
        (NARROW, (5, 2, 2), 64),
        (WIDE, (3, 1, 1), 32),
        (WIDE, (4, 2, 1), 64),
    ],
)
def test_a_kernel_is_packed_only_where_ten_steps_pay_for_it(
    of: Rules, place: tuple[int, int, int], least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = blocks((96, 4 * place[1], 4 * place[1]), convolution(96, 96, *place))
    assert is_winograd(block)
    rows = least // tiles_of(block.target)
    for make in (block.forward_map, block.transposed_map):
        monkeypatch.setattr(choice, "rules", lambda: of)
        assert isinstance(make(rows, torch.float32), WinogradMap)
        assert rows == 1 or not isinstance(make(rows - 1, torch.float32), WinogradMap)
        monkeypatch.setattr(choice, "rules", lambda: EVERYWHERE)
        assert isinstance(make(1, torch.float32), WinogradMap)
