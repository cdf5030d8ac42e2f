from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from ebmkit_convnets.activations import Activation, activation_layer, gain, is_homogeneous
from tests.models import double

ACTIVATIONS = get_args(Activation)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_gain_keeps_the_mean_square(name: Activation) -> None:
    """Against a fine midpoint rule for E[φ(u)²]; the truncated tails beyond 9 weigh below 1e-15."""
    u = (torch.arange(180_000, dtype=torch.float64) + 0.5) / 1e4 - 9
    density = torch.exp(-(u**2) / 2) / math.sqrt(2 * math.pi) / 1e4
    second_moment = float((activation_layer(name, 0.2)(u.clone()) ** 2 * density).sum())
    assert gain(name, 0.2) == pytest.approx(second_moment**-0.5, rel=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_homogeneous_where_it_scales_with_its_input(name: Activation) -> None:
    a, layer = double(200), activation_layer(name, 0.2)
    scales = all(torch.allclose(layer(c * a), c * layer(a)) for c in (0.1, 3.0))
    assert is_homogeneous(name) is scales


def test_the_leak_is_the_slope_below_zero_of_leaky_relu_alone() -> None:
    below = torch.tensor([-1.0, -2.0])
    assert activation_layer("leaky-relu", 0.3)(below).tolist() == pytest.approx([-0.3, -0.6])
    for name in ACTIVATIONS:
        same = torch.equal(activation_layer(name, 0.3)(below), activation_layer(name, 0.1)(below))
        assert same is (name != "leaky-relu")
