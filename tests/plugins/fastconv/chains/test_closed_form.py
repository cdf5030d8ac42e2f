from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebmkit.core import Energy, value_and_gradient
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_fastconv.chains.closed_form import closed_form
from ebmkit_fastconv.reading.reader import read
from ebmkit_fastconv.reading.stack import Stack, UnknownOperationError
from tests.models import double


@pytest.mark.parametrize("shape", [(1, 8), (8,), (2, 2, 2), (2, 2, 2, 1), (1, 2, 2, 2)])
def test_states_of_any_shape_are_read_by_linear_layers(shape: tuple[int, ...]) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0)).eval()
    x = torch.randn(4, *shape)
    reading = read(net, x[:2])
    assert reading is not None
    found, exact = closed_form(reading.stack, x, "fp32")(x), value_and_gradient(net, x)
    assert torch.allclose(found.value.float(), exact.value, atol=1e-6)
    assert torch.allclose(found.gradient, exact.gradient, atol=1e-6)


class Perceptron(Energy):
    """E(x) = a |x|^2 - f(x) + c with the layers of the case."""

    def __init__(self, layers: nn.Sequential, quadratic: float, offset: float) -> None:
        super().__init__()
        self.layers, self.quadratic, self.offset = layers, quadratic, offset

    def forward(self, x: Tensor) -> Tensor:
        return self.quadratic * x.square().sum(1) - self.layers(x)[:, 0] + self.offset


@pytest.mark.parametrize(("quadratic", "offset"), [(0.0, 0.0), (0.5, 0.0), (3.0, -2.0)])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU, nn.Tanh, nn.Softplus, nn.LeakyReLU])
def test_perceptrons_have_closed_forms_of_their_own(
    activation: type[nn.Module], quadratic: float, offset: float
) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Linear(3, 9), activation(), nn.Linear(9, 7, bias=False), activation(), nn.Linear(7, 2)
    )
    energy, x = Perceptron(layers, quadratic, offset).eval(), torch.randn(11, 3)
    reading = read(energy, x)
    assert reading is not None
    gradient = closed_form(reading.stack, x, "fp32")
    for _ in range(2):  # a second call finds nothing of the first
        found, exact = gradient(x), value_and_gradient(energy, x)
        assert torch.allclose(found.value, exact.value, rtol=1e-5, atol=1e-5)
        assert torch.allclose(found.gradient, exact.gradient, rtol=1e-5, atol=1e-5)


def textured(**settings: Any) -> ConvDescriptor:
    torch.manual_seed(0)
    layers = {"channels": (6, 4), "kernels": (5, 3), "strides": (2, 1)}
    return ConvDescriptor((1, 12, 12), outputs=3, **(layers | settings)).eval()  # type: ignore[arg-type]


def test_the_energies_of_images_are_exact_where_float32_resolves_nothing() -> None:
    """|x|² / 2s² is near 10⁶ nats, and float32 resolves a sixteenth of one there."""
    energy, x = textured(reference_std=0.008), double(5, 1, 12, 12).float()
    reading = read(energy, x)
    assert reading is not None
    found = closed_form(reading.stack, x, "fp32")(x).value
    exact = copy.deepcopy(energy).double()(x.double())
    assert exact.min() > 5e5
    assert (found - exact).abs().max() < 1e-3


@pytest.mark.parametrize("rows", [1, 31, 33, 70])
def test_any_number_of_rows_is_computed_part_by_part(rows: int) -> None:
    energy, x = textured(reference_std=0.5, weight_std=0.3), double(rows, 1, 12, 12).float()
    reading = read(energy, x[:2])
    assert reading is not None
    found, exact = closed_form(reading.stack, x, "fp32")(x), value_and_gradient(energy, x)
    assert torch.allclose(found.value, exact.value, rtol=1e-6)
    assert torch.allclose(found.gradient, exact.gradient, rtol=1e-4, atol=1e-5)


def test_what_has_no_layers_is_refused() -> None:
    with pytest.raises(UnknownOperationError, match=r"^no layers$"):
        closed_form(Stack(quadratic=0.5), double(3, 4).float(), "fp32")
