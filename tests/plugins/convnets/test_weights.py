from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from ebmkit_convnets.activations import Activation, gain
from ebmkit_convnets.descriptor import ConvDescriptor
from tests.models import double

ACTIVATIONS = get_args(Activation)


@pytest.mark.parametrize("weight_std", [0.05, 0.01])
def test_weights_start_from_the_stated_normal(weight_std: float) -> None:
    torch.manual_seed(0)
    energy = ConvDescriptor(
        (3, 64, 64), channels=(32, 64), kernels=(5, 5), strides=(2, 2), weight_std=weight_std
    )
    weights = torch.cat([p.flatten() for name, p in energy.named_parameters() if name.endswith("weight")])
    # 5 standard errors of a standard deviation.
    assert abs(weights.std() / weight_std - 1) < 5 / (2 * len(weights)) ** 0.5
    assert all(p.abs().sum() == 0 for name, p in energy.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_he_weights_keep_the_size_of_what_wide_layers_pass_on(name: Activation) -> None:
    torch.manual_seed(0)
    energy = ConvDescriptor(
        (256, 4, 4), channels=(256,) * 3, kernels=(1,) * 3, strides=(1,) * 3, activation=name,
        initialisation="he", hidden=256, outputs=400,
    )  # fmt: skip
    x = torch.randn(256, 256, 4, 4)
    responses = energy.features[:-1](x)
    # The mean square over 256 random units spreads by some 9 % a layer.
    assert float(responses.detach().square().mean()) == pytest.approx(1, abs=0.2)
    assert energy.head is not None
    assert float(energy.head.weight.detach().std()) == pytest.approx(gain(name, 0.2) / 16, rel=0.02)
    assert float(energy.features[0].bias.detach().abs().sum()) == 0


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_small_weights_are_kept_for_homogeneous_activations_alone(name: Activation) -> None:
    widths = []
    for how in ("auto", "normal", "he"):
        torch.manual_seed(0)
        energy = ConvDescriptor((3, 32, 32), activation=name, initialisation=how)
        widths.append(float(energy.features[2].weight.detach().std()))
    small, large = widths[1:]
    assert small == pytest.approx(0.01, rel=0.02)
    assert large > 0.05
    assert widths[0] == (small if "relu" in name else large)


def dependent_share(**settings: Any) -> float:
    """Of the mean square of the gradient of f, what differs between images."""
    torch.manual_seed(0)
    sizes = {"channels": (16, 32, 64), "kernels": (4,) * 3, "strides": (2,) * 3}
    energy = ConvDescriptor((1, 32, 32), **(sizes | settings))  # type: ignore[arg-type]
    x = double(20, 1, 32, 32).float().mul(0.5).requires_grad_()
    (gradient,) = torch.autograd.grad(energy.score(x).sum(), x)
    return float((gradient - gradient.mean(0)).square().sum() / gradient.square().sum())


@pytest.mark.parametrize("name", ["silu", "gelu"])
def test_small_weights_make_a_smooth_activation_linear_and_he_weights_do_not(name: Activation) -> None:
    """A gradient that is the same at all images draws one pattern of kernels over all of them."""
    assert dependent_share(activation=name, initialisation="normal") < 0.01
    assert dependent_share(activation=name) > 0.1
    assert dependent_share(activation="leaky-relu") > 0.1
