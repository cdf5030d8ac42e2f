from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ebmkit.core import fast_layers
from ebmkit_fastconv.maps import transforms as native
from ebmkit_fastconv.updates import layers
from tests.plugins.fastconv.updates.wide import everything, wide_layer

pytestmark = pytest.mark.skipif(native.transforms() is None, reason="no C compiler")


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(128, 128, 3, padding=1, groups=2),
        nn.Conv2d(64, 64, 3, padding=1, dilation=2),
        nn.Conv2d(64, 64, (3, 5), padding=1),
        nn.Conv2d(64, 64, 3, stride=2, padding=1),
        nn.Conv2d(64, 64, 3, stride=(1, 2), padding=1),
        nn.Conv2d(64, 32, 3, padding=1),
        nn.Conv2d(64, 64, 3, padding=1).double(),
        nn.ConvTranspose2d(64, 64, 4, 2, 2),
        nn.ConvTranspose2d(64, 64, 5, 2, 2, output_padding=(1, 0)),
    ],
    ids=str,
)
def test_other_layers_keep_torchs_bits(layer: nn.Conv2d, taken: list[str]) -> None:
    x = torch.randn(8, layer.in_channels, 16, 16, dtype=layer.weight.dtype)
    with layers.WideConvolutions():
        found = everything(layer, x)
    assert taken == []
    assert all(torch.equal(a, b) for a, b in zip(found, everything(layer, x), strict=True))


def test_few_tiles_keep_torchs_bits(taken: list[str]) -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=False)
    with fast_layers(layer):
        found = layer(x[:3])  # 48 tiles
    assert taken == []
    assert torch.equal(found, layer(x[:3]))


@pytest.mark.parametrize(
    ("x", "weight", "bias"),
    [
        ((16, 32, 16, 16), (64, 64, 3, 3), None),
        ((16, 128, 16, 16), (64, 64, 3, 3), None),
        ((16, 64, 16, 16), (64, 64, 3, 3), (32,)),
        ((16, 64, 16, 16), (64, 64, 3, 3), (64, 1)),
        ((64, 16, 16), (32, 32, 3, 3), None),
        ((16, 64, 16, 16, 1), (64, 64, 3, 3), None),
    ],
)
@pytest.mark.parametrize("function", [functional.conv2d, functional.conv_transpose2d])
def test_torch_refuses_what_it_refuses(
    function: Callable[..., Tensor], x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] | None
) -> None:
    given = [torch.ones(x), torch.ones(weight), None if bias is None else torch.ones(bias)]
    with pytest.raises(RuntimeError) as refused:
        function(*given, padding=1)
    with fast_layers(nn.Conv2d(64, 64, 3)), pytest.raises(RuntimeError) as again:
        function(*given, padding=1)
    assert str(again.value) == str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {"stride": (1, 1, 1)},
        {"padding": (1, 1, 1)},
        {"dilation": [1, 1, 1]},
        {"stride": 1.0},
        {"padding": "wide"},
        {"groups": 0},
        {"stride": True},
    ],
    ids=str,
)
def test_torch_refuses_other_options(options: dict[str, Any]) -> None:
    x, weight = torch.ones(8, 64, 16, 16), torch.ones(64, 64, 3, 3)
    with pytest.raises((RuntimeError, TypeError, ValueError)) as refused:
        functional.conv2d(x, weight, **options)
    with fast_layers(nn.Conv2d(64, 64, 3)), pytest.raises(type(refused.value)) as again:
        functional.conv2d(x, weight, **options)
    assert str(again.value) == str(refused.value)


@pytest.mark.parametrize("one", [np.int64(1), torch.tensor(1), [np.int64(1), 1], torch.Size([1])], ids=repr)
def test_torch_takes_other_numbers_than_pythons(one: Any) -> None:
    x, weight = torch.ones(8, 64, 16, 16), torch.ones(64, 64, 3, 3)
    try:
        functional.conv2d(x, weight, stride=one, padding=one)
    except RuntimeError:
        pytest.skip("not this torch")
    with fast_layers(nn.Conv2d(64, 64, 3)):
        found = functional.conv2d(x, weight, stride=one, padding=one)
    assert torch.allclose(found, functional.conv2d(x, weight, None, 1, 1), atol=1e-3)


@pytest.mark.parametrize(
    "x",
    [
        torch.randn(8, 64, 16, 32)[..., ::2],
        torch.randn(1, 64, 16, 16).expand(8, -1, -1, -1),
        torch.randn(8, 16, 64, 16).transpose(1, 2),
    ],
    ids=["sliced", "expanded", "transposed"],
)
def test_images_in_another_order_keep_torchs_bits(x: Tensor, taken: list[str]) -> None:
    layer = nn.Conv2d(64, 64, 3, padding=1)
    with fast_layers(layer):
        found = layer(x)
    assert taken == []
    assert torch.equal(found, layer(x))


def test_autocast_keeps_its_bfloat16(taken: list[str]) -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=False)
    with fast_layers(layer), torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert taken == []


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_what_looks_inside_sees_torchs_operations() -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=False)
    tangent = torch.randn_like(x)
    with fast_layers(layer):
        traced = make_fx(layer)(x)
        _, along = torch.func.jvp(layer, (x,), (tangent,))
        mapped = torch.func.vmap(layer)(x.unsqueeze(0))[0]
        with FlopCounterMode(display=False) as counter:
            layer(x)
    assert "convolution" in str(traced.code)
    assert counter.get_total_flops() == 2 * 19 * 80 * 16**2 * 64 * 3**2
    assert torch.allclose(along, functional.conv2d(tangent, layer.weight, None, 1, 1), atol=1e-4)
    assert torch.allclose(mapped, layer(x), atol=1e-4)


def test_a_compiled_layer_is_the_compilers(taken: list[str]) -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=False)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    with fast_layers(layer):
        found = compiled(x)
    assert taken == []
    assert torch.equal(found, layer(x))
