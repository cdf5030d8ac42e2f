"""Convolutions that learn: every product against float64; torch's own where something is asked beyond."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from ebmkit.core import Rng, fast_layers, run_chain
from ebmkit_fastconv.maps import transforms as native
from ebmkit_fastconv.updates import autograd as learning
from ebmkit_fastconv.updates import layers
from ebmkit_langevin.langevin import Langevin
from tests.plugins.fastconv.maps.convolutions import WINOGRAD

pytestmark = pytest.mark.skipif(native.transforms() is None, reason="no C compiler")


def _errors(found: tuple[Tensor, ...], exact: tuple[Tensor, ...]) -> list[float]:
    return [float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, exact, strict=True)]


def _layer(case: tuple[int, int, int, int], *, transposed: bool) -> tuple[nn.Module, Tensor]:
    """A wide layer and an input of its: 19 rows, which are no whole number of parts."""
    torch.manual_seed(0)
    kernel, stride, padding, side = case
    of_result = (side + 2 * padding - kernel) // stride + 1
    if not transposed:
        return nn.Conv2d(64, 80, kernel, stride, padding), torch.randn(19, 64, side, side)
    extra = side - ((of_result - 1) * stride - 2 * padding + kernel)
    layer = nn.ConvTranspose2d(80, 64, kernel, stride, padding, output_padding=extra)
    return layer, torch.randn(19, 80, of_result, of_result)


def _everything(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """The result, and the gradients of input, weight and bias under weights that no symmetry hides."""
    x = x.clone().requires_grad_()
    y = layer(x)
    weights = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape).cos()
    return y.detach(), *torch.autograd.grad((y * weights).sum(), [x, *layer.parameters()])


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("case", WINOGRAD, ids=str)
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_wide_layer_and_its_three_gradients_are_torchs(
    case: tuple[int, int, int, int], *, transposed: bool, memory: torch.memory_format
) -> None:
    layer, x = _layer(case, transposed=transposed)
    with fast_layers(layer):
        found = _everything(layer, x.contiguous(memory_format=memory))
    exact = _everything(layer.double(), x.double())
    assert all(error < 1e-4 for error in _errors(found, exact))


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of the products were computed Winograd's way, in order."""
    names: list[str] = []

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            names.append(name)
            return function(*args, **kwargs)

        return run

    for name in ("product", "transpose", "kernel_gradient"):
        monkeypatch.setattr(learning, name, noting(name, getattr(learning, name)))
    return names


def test_each_direction_goes_winograds_way(taken: list[str]) -> None:
    layer, x = _layer((3, 1, 1, 16), transposed=False)
    with fast_layers(layer):
        _everything(layer, x)
    assert taken == ["product", "transpose", "kernel_gradient"]
    layer, x = _layer((5, 2, 2, 32), transposed=True)
    with fast_layers(layer):
        _everything(layer, x)
    assert taken[3:] == ["transpose", "product", "kernel_gradient"]


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
        found = _everything(layer, x)
    assert taken == []
    assert all(torch.equal(a, b) for a, b in zip(found, _everything(layer, x), strict=True))


def test_few_tiles_keep_torchs_bits(taken: list[str]) -> None:
    layer, x = _layer((3, 1, 1, 16), transposed=False)
    with fast_layers(layer):
        found = layer(x[:3])  # 48 tiles
    assert taken == []
    assert torch.equal(found, layer(x[:3]))


def _styled(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A kernel and a bias that depend on x."""
    style = x.mean((0, 2, 3))
    return functional.conv2d(x, weight * style.view(1, -1, 1, 1), bias * style[:1], 1, 1)


def test_kernels_and_biases_that_depend_on_x_have_gradients_of_their_own(taken: list[str]) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(64, 64, 3, 3) / 24, torch.randn(64), torch.randn(8, 64, 16, 16)

    def slope(*at: Tensor) -> tuple[Tensor, ...]:
        x = at[0].clone().requires_grad_()
        return torch.autograd.grad(_styled(x, *at[1:]).tanh().sum(), x)

    with fast_layers(nn.Conv2d(64, 64, 3)):
        found = slope(x, weight, bias)
    assert taken == ["product", "transpose", "kernel_gradient"]
    assert _errors(found, slope(x.double(), weight.double(), bias.double()))[0] < 1e-4


@pytest.mark.parametrize("name", ["column", "repeated", "reversed", "parameter"])
def test_biases_that_are_views_are_read_as_they_are(name: str, taken: list[str]) -> None:
    torch.manual_seed(0)
    layer, x = _layer((3, 1, 1, 16), transposed=False)
    table = torch.randn(80, 7)
    bias = {
        "column": table[:, 3],
        "repeated": table[0, :1].expand(80),
        "reversed": table[:, 0].flip(0)[::1],
        "parameter": nn.Parameter(table[:, 2]),
    }[name]
    with fast_layers(layer):
        found = functional.conv2d(x, layer.weight, bias, 1, 1)
    exact = functional.conv2d(x.double(), layer.weight.double(), bias.double(), 1, 1)
    assert taken == ["product"]
    assert _errors((found.detach(),), (exact.detach(),))[0] < 1e-4


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kernels", [torch.contiguous_format, torch.channels_last])
def test_results_lie_in_memory_as_torchs_and_are_their_own(
    *, transposed: bool, memory: torch.memory_format, kernels: torch.memory_format, taken: list[str]
) -> None:
    layer, x = _layer((4, 2, 1, 16), transposed=transposed)
    layer, x = layer.to(memory_format=kernels), x.contiguous(memory_format=memory).requires_grad_()
    with fast_layers(layer):
        found = layer(x)
    exact = layer(x)
    assert taken
    assert (found.stride(), found.is_contiguous()) == (exact.stride(), exact.is_contiguous())
    assert not found._is_view()
    found.relu_()  # may be changed in place, as torch's
    slopes = [torch.autograd.grad(each.sum(), x)[0] for each in (found, exact.relu_())]
    assert torch.allclose(*slopes, atol=1e-4)
    assert slopes[0].stride() == slopes[1].stride()


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


def test_tensors_whose_memory_holds_their_negative_are_read_as_what_they_are() -> None:
    torch.manual_seed(0)
    given = [torch.randn(8, 64, 16, 16), torch.randn(64, 64, 3, 3), torch.randn(64)]
    with fast_layers(nn.Conv2d(64, 64, 3)):
        found = functional.conv2d(*map(torch._neg_view, given))
    assert _errors((found,), (functional.conv2d(*(-each.double() for each in given)),))[0] < 1e-4


@pytest.mark.parametrize("transposed", [False, True])
def test_several_gradients_may_be_asked_for_at_once(*, transposed: bool) -> None:
    layer, x = _layer((3, 1, 1, 16), transposed=transposed)

    def slopes(x: Tensor) -> tuple[Tensor, ...]:
        x = x.clone().requires_grad_()
        y = layer(x)
        several = torch.stack(
            [torch.ones_like(y), torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view(y.shape)]
        )
        return torch.autograd.grad(y, [x, *layer.parameters()], several, is_grads_batched=True)

    with fast_layers(layer):
        found = slopes(x)
    layer.double()
    assert all(error < 1e-4 for error in _errors(found, slopes(x.double())))


def test_native_code_computes_where_torch_makes_new_tensors_elsewhere(taken: list[str]) -> None:
    layer, x = _layer((3, 1, 1, 16), transposed=False)
    with fast_layers(layer), torch.device("meta"):
        found = _everything_here(layer, x)
    assert taken
    assert all(error < 1e-4 for error in _errors(found, _everything_here(layer.double(), x.double())))


def _everything_here(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])


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


def test_native_code_is_handed_nothing_that_is_spread_in_memory() -> None:
    made = native.transforms()
    assert made is not None
    image, points = torch.ones(1, 4, 4, 32)[..., ::2], torch.empty(1, 36, 16)
    with pytest.raises(ValueError, match="strides"):
        made.read(6, image, native.Layout(1, 4, 4, 16, 1, 1, 1, 1), points)
    with pytest.raises(ValueError, match="float64"):
        made.read(6, image.contiguous().double(), native.Layout(1, 4, 4, 16, 1, 1, 1, 1), points)


def test_an_update_asks_for_kernels_a_chain_does_not(taken: list[str]) -> None:
    layer, x = _layer((3, 1, 1, 16), transposed=False)
    x.requires_grad_()
    with fast_layers(layer):
        torch.autograd.grad(layer(x).sum(), x)
        assert taken == ["product", "transpose"]
        torch.autograd.grad(layer(x).sum(), layer.weight)
        assert taken[2:] == ["product", "kernel_gradient"]
        layer(x).sum().backward()
        assert taken[4:] == ["product", "transpose", "kernel_gradient"]


def test_autocast_keeps_its_bfloat16(taken: list[str]) -> None:
    layer, x = _layer((3, 1, 1, 16), transposed=False)
    with fast_layers(layer), torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert taken == []


@pytest.mark.parametrize("transposed", [False, True])
def test_a_gradient_can_be_differentiated_again(*, transposed: bool) -> None:
    layer, x = _layer((3, 1, 1, 16), transposed=transposed)

    def penalty(x: Tensor) -> tuple[Tensor, ...]:
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), [x, *layer.parameters()])

    with fast_layers(layer):
        found = penalty(x)
    layer.double()
    assert all(error < 1e-4 for error in _errors(found, penalty(x.double())))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_what_looks_inside_sees_torchs_operations() -> None:
    layer, x = _layer((3, 1, 1, 16), transposed=False)
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
    layer, x = _layer((3, 1, 1, 16), transposed=False)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    with fast_layers(layer):
        found = compiled(x)
    assert taken == []
    assert torch.equal(found, layer(x))


def test_layers_that_are_computed_again_in_the_backward_pass() -> None:
    layer, x = _layer((3, 1, 1, 16), transposed=False)
    with fast_layers(layer):
        again = checkpoint(layer, x.requires_grad_(), use_reentrant=False).square().sum()
        found = torch.autograd.grad(again, list(layer.parameters()))
        exact = torch.autograd.grad(layer(x).square().sum(), list(layer.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(found, exact, strict=True))


def test_an_energy_that_cannot_be_read_still_has_fast_layers_in_a_chain(taken: list[str]) -> None:
    torch.manual_seed(0)
    residual = Residual()
    x = torch.randn(5, 64, 16, 16)
    sampler = Langevin(step_size=0.1)
    found = run_chain(sampler, residual, x, steps=3, rng=Rng(0)).x
    assert "kernel_gradient" not in taken
    assert taken.count("product") == taken.count("transpose") >= 3
    exact = run_chain(sampler, residual.double(), x.double(), steps=3, rng=Rng(0)).x
    assert torch.allclose(found.double() - x, exact - x, atol=1e-4)


class Residual(nn.Module):
    """An energy around a layer that is skipped, too."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(64, 64, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return (x + torch.tanh(self.layer(x))).square().flatten(1).sum(1) / 2


def test_transforms_that_compute_something_else_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made = native.transforms()
    assert made is not None
    assert native._is_right(made)
    monkeypatch.setattr(made, "spread", lambda size, results, layout, points: points.zero_())
    assert not native._is_right(made)
