"""Networks that the tests of several modules build."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ebmkit.core import Energy
from ebmkit_convnets.descriptor import ConvDescriptor
from ebmkit_convnets.residual import ResNetDescriptor
from tests.models import double

LAYERS: dict[str, Any] = {"channels": (4, 6), "kernels": (5, 3), "strides": (2, 2), "weight_std": 0.2}


def small(**settings: object) -> ConvDescriptor:
    torch.manual_seed(0)
    keywords = {"channels": (4, 6), "kernels": (5, 3), "strides": (2, 1), "outputs": 7} | settings
    return ConvDescriptor((1, 12, 12), **keywords)  # type: ignore[arg-type]


def descriptor(side: int = 32, **settings: Any) -> ConvDescriptor:
    torch.manual_seed(0)
    keywords = {"channels": (4, 4, 4), "kernels": (4, 4, 4), "strides": (2, 2, 2), "outputs": 2} | settings
    return ConvDescriptor((1, side, side), reference_std=0.3, initialisation="he", **keywords)


def interacting(energy: Energy, side: int) -> int:
    """The largest distance in columns, plus one, of two pixels whose second derivative is not zero."""
    x = double(1, 1, side, side).requires_grad_()
    energy = energy.double()
    (gradient,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
    reach = 0
    for column in range(side):
        (second,) = torch.autograd.grad(gradient[0, 0, side // 2, column], x, retain_graph=True)
        columns = (second[0, 0].abs() > 0).any(0).nonzero()[:, 0]
        reach = max(reach, int((columns - column).abs().max()) + 1)
    return reach


def residual(**settings: Any) -> ResNetDescriptor:
    torch.manual_seed(0)
    return ResNetDescriptor((1, 16, 16), **({"channels": (4, 6)} | settings))


def middle_rows(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the kernels of images one pixel high, of which nothing else meets anything but padding."""
    return {
        name: each[:, :, each.shape[2] // 2] if each.ndim == 4 else each for name, each in weights.items()
    }
