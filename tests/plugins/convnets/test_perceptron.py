from __future__ import annotations

import pytest
import torch
from torch import nn

from ebmkit.core import reference_std, value_and_gradient
from ebmkit_convnets.activations import Activation
from ebmkit_convnets.perceptron import MlpDescriptor
from ebmkit_fastconv.prepare import ClosedForms
from tests.models import double


def perceptron(*shape: int, activation: Activation = "silu") -> MlpDescriptor:
    torch.manual_seed(0)
    return MlpDescriptor(shape, widths=(7, 5), activation=activation, reference_std=0.4)


def test_the_energy_is_reference_minus_perceptron_written_out() -> None:
    energy, x, silu = perceptron(6).double(), double(4, 6), nn.functional.silu
    for parameter in energy.parameters():  # biases start from 0
        nn.init.normal_(parameter)
    first, second = (energy.features[k] for k in (0, 2))
    score = energy.head(silu(second(silu(first(x)))))[:, 0]
    assert torch.allclose(energy(x), x.square().sum(1) / (2 * 0.4**2) - score, rtol=1e-12)
    assert reference_std(energy) == 0.4


def test_the_arrangement_of_an_example_changes_no_bit() -> None:
    x = double(4, 6).float()
    assert torch.equal(perceptron(6)(x), perceptron(2, 3)(x.view(4, 2, 3)))
    assert torch.equal(perceptron(1)(x[:, :1]), perceptron()(x[:, 0]))


def test_every_coordinate_meets_every_other() -> None:
    energy = perceptron(6).double()
    mixed = torch.autograd.functional.hessian(lambda x: energy(x[None])[0], double(6))
    assert bool((mixed.abs() > 1e-6).all())


@pytest.mark.parametrize("activation", ["silu", "relu", "leaky-relu", "elu", "gelu"])
def test_it_grows_as_its_reference_far_out(activation: Activation) -> None:
    energy = perceptron(6, activation=activation).double()
    x = 1e6 * double(5, 6)
    assert torch.allclose(energy(x), x.square().sum(1) / (2 * 0.4**2), rtol=1e-4)


@pytest.mark.parametrize("activation", ["silu", "relu", "leaky-relu"])
def test_chains_walk_on_its_closed_form(activation: Activation) -> None:
    energy, x = perceptron(6, activation=activation).eval(), double(64, 6).float()
    offer = ClosedForms()(energy, x, "fp32")
    assert offer is not None
    assert torch.allclose(offer.gradient(x).gradient, value_and_gradient(energy, x).gradient, atol=1e-5)
