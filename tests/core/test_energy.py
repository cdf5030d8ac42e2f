from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmkit.core import value_and_gradient
from tests.models import LinearDescriptor, double


def test_the_gradient_is_that_of_the_energy() -> None:
    energy = LinearDescriptor(double(3), 0.7)
    x = double(5, 3, seed=1)
    value, gradient = value_and_gradient(energy, x)
    assert torch.allclose(value, energy(x))
    assert torch.allclose(gradient, x / 0.7**2 - energy.weight)
    assert not value.requires_grad
    assert not gradient.requires_grad


def test_parameters_and_input_are_left_alone() -> None:
    energy = LinearDescriptor(double(3), 0.7)
    energy.weight.grad = torch.ones_like(energy.weight)
    x = double(5, 3, seed=1)
    before = x.clone()
    with torch.no_grad():
        value_and_gradient(energy, x)
    assert torch.equal(energy.weight.grad, torch.ones_like(energy.weight))
    assert energy.weight.requires_grad
    assert torch.equal(x, before)
    assert not x.requires_grad


@pytest.mark.parametrize("wrong", [lambda x: x.sum(), lambda x: x.square(), lambda x: x.sum(1, keepdim=True)])
def test_an_energy_of_another_shape_is_refused(wrong: object) -> None:
    def energy(x: Tensor) -> Tensor:
        return wrong(x)  # type: ignore[operator, no-any-return]

    with pytest.raises(ValueError, match=r"\(B, \*S\) to \(B,\)"):
        value_and_gradient(energy, double(4, 2))
