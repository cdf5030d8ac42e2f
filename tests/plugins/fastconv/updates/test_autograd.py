"""Convolutions that learn: every product against float64; torch's own where something is asked beyond."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ebmkit.core import Rng, fast_layers, run_chain
from ebmkit_fastconv.maps import transforms as native
from ebmkit_fastconv.maps.processor import NARROW, WIDE, Rules
from ebmkit_fastconv.updates import autograd as learning
from ebmkit_langevin.langevin import Langevin
from tests.plugins.fastconv.maps.convolutions import WINOGRAD
from tests.plugins.fastconv.updates.wide import errors, everything, wide_layer

pytestmark = pytest.mark.skipif(native.transforms() is None, reason="no C compiler")


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("case", WINOGRAD, ids=str)
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_a_wide_layer_and_its_three_gradients_are_torchs(
    case: tuple[int, int, int, int], *, transposed: bool, memory: torch.memory_format
) -> None:
    layer, x = wide_layer(case, transposed=transposed)
    with fast_layers(layer):
        found = everything(layer, x.contiguous(memory_format=memory))
    exact = everything(layer.double(), x.double())
    assert all(error < 1e-4 for error in errors(found, exact))


def test_each_direction_goes_winograds_way(taken: list[str]) -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=False)
    with fast_layers(layer):
        everything(layer, x)
    assert taken == ["product", "transpose", "kernel_gradient"]
    layer, x = wide_layer((5, 2, 2, 32), transposed=True)
    with fast_layers(layer):
        everything(layer, x)
    assert taken[3:] == ["transpose", "product", "kernel_gradient"]


PRODUCTS, ALL = ["product", "transpose"], ["product", "transpose", "kernel_gradient"]


@pytest.mark.parametrize(
    ("of", "channels", "case", "rows", "expected"),
    [
        (WIDE, 64, (3, 1, 1, 16), 8, PRODUCTS),  # 128 tiles
        (WIDE, 64, (3, 1, 1, 16), 7, []),
        (WIDE, 64, (5, 2, 2, 32), 32, PRODUCTS),  # 512
        (WIDE, 64, (5, 2, 2, 32), 31, []),
        (WIDE, 128, (4, 2, 1, 32), 64, []),
        (NARROW, 64, (3, 1, 1, 16), 16, ALL),  # 256
        (NARROW, 64, (3, 1, 1, 16), 4, ["kernel_gradient"]),  # 64
        (NARROW, 64, (3, 1, 1, 16), 3, []),
        (NARROW, 64, (5, 1, 2, 16), 4, ["kernel_gradient"]),
        (NARROW, 64, (4, 2, 1, 32), 16, ["kernel_gradient"]),  # 256
        (NARROW, 64, (4, 2, 1, 32), 7, []),
        (NARROW, 128, (4, 2, 1, 32), 16, ALL),
        (NARROW, 64, (5, 2, 2, 32), 16, ALL),
        (NARROW, 64, (5, 2, 2, 32), 8, ["kernel_gradient"]),  # 128
        (NARROW, 64, (5, 2, 2, 32), 7, []),
    ],
)
def test_each_product_goes_winograds_way_from_where_on_it_pays(
    of: Rules,
    channels: int,
    case: tuple[int, int, int, int],
    rows: int,
    expected: list[str],
    *,
    taken: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(learning, "rules", lambda: of)
    kernel, stride, padding, side = case
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, channels + 16, kernel, stride, padding)
    x = torch.randn(rows, channels, side, side)
    with fast_layers(layer):
        found = everything(layer, x)
    assert taken == expected
    exact = everything(layer.double(), x.double())
    assert all(error < 1e-4 for error in errors(found, exact))


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
    assert errors(found, slope(x.double(), weight.double(), bias.double()))[0] < 1e-4


@pytest.mark.parametrize("name", ["column", "repeated", "reversed", "parameter"])
def test_biases_that_are_views_are_read_as_they_are(name: str, taken: list[str]) -> None:
    torch.manual_seed(0)
    layer, x = wide_layer((3, 1, 1, 16), transposed=False)
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
    assert errors((found.detach(),), (exact.detach(),))[0] < 1e-4


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kernels", [torch.contiguous_format, torch.channels_last])
def test_results_lie_in_memory_as_torchs_and_are_their_own(
    *, transposed: bool, memory: torch.memory_format, kernels: torch.memory_format, taken: list[str]
) -> None:
    layer, x = wide_layer((4, 2, 1, 16), transposed=transposed)
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


def test_tensors_whose_memory_holds_their_negative_are_read_as_what_they_are() -> None:
    torch.manual_seed(0)
    given = [torch.randn(8, 64, 16, 16), torch.randn(64, 64, 3, 3), torch.randn(64)]
    with fast_layers(nn.Conv2d(64, 64, 3)):
        found = functional.conv2d(*map(torch._neg_view, given))
    assert errors((found,), (functional.conv2d(*(-each.double() for each in given)),))[0] < 1e-4


@pytest.mark.parametrize("transposed", [False, True])
def test_several_gradients_may_be_asked_for_at_once(*, transposed: bool) -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=transposed)

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
    assert all(error < 1e-4 for error in errors(found, slopes(x.double())))


def test_native_code_computes_where_torch_makes_new_tensors_elsewhere(taken: list[str]) -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=False)
    with fast_layers(layer), torch.device("meta"):
        found = _everything_here(layer, x)
    assert taken
    assert all(error < 1e-4 for error in errors(found, _everything_here(layer.double(), x.double())))


def _everything_here(layer: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])


def test_an_update_asks_for_kernels_a_chain_does_not(taken: list[str]) -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=False)
    x.requires_grad_()
    with fast_layers(layer):
        torch.autograd.grad(layer(x).sum(), x)
        assert taken == ["product", "transpose"]
        torch.autograd.grad(layer(x).sum(), layer.weight)
        assert taken[2:] == ["product", "kernel_gradient"]
        layer(x).sum().backward()
        assert taken[4:] == ["product", "transpose", "kernel_gradient"]


@pytest.mark.parametrize("transposed", [False, True])
def test_a_gradient_can_be_differentiated_again(*, transposed: bool) -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=transposed)

    def penalty(x: Tensor) -> tuple[Tensor, ...]:
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), [x, *layer.parameters()])

    with fast_layers(layer):
        found = penalty(x)
    layer.double()
    assert all(error < 1e-4 for error in errors(found, penalty(x.double())))


def test_layers_that_are_computed_again_in_the_backward_pass() -> None:
    layer, x = wide_layer((3, 1, 1, 16), transposed=False)
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
