from __future__ import annotations

import torch

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
