"""A descriptor of examples of any shape: a multilayer perceptron and a Gaussian reference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, final

from torch import Tensor, nn

from ebmkit.core import Energy, Ge, Gt, MinLen, OrInfinite, as_rows
from ebmkit_convnets.activations import Activation, activation_layer
from ebmkit_convnets.weights import initialise_descriptor

__all__ = ["MlpDescriptor"]

Positive = Annotated[int, Ge(1)]


@final
class MlpDescriptor(Energy):
    r"""A multilayer perceptron tilts a Gaussian reference, or none: for tables, and whatever is no image.

    $$E(x) = \frac{\|x\|^2}{2 s^2} - f(x), \qquad
    f(x) = v^T \phi(W_K \dots \phi(W_1 x + b_1) \dots + b_K) + c$$

    x is an example as one row of numbers, whatever its shape: every coordinate meets every other from the
    first layer on, and nothing knows which ones are neighbours. ``(B, *S) -> (B,)``, nats.

    f grows at most linearly, the reference quadratically: with a finite s the energy has a finite Z whatever
    was learned. Weights start from He's normal law, biases from 0. The reference and the last layer are added
    up in float64, as in ``descriptor``.

    Args:
        shape: of an example, S.
        widths: units of each hidden layer, from x on.
        activation: φ: ``silu``, ``gelu``, ``elu``, ``relu`` or ``leaky-relu``.
        leak: slope of ``leaky-relu`` below zero.
        reference_std: s, standard deviation of the Gaussian reference in the units of x: 1 suits data of
            ``scale = "standard"``; ``inf`` leaves the reference out.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, section 3, with a perceptron in place of the
    ConvNet; the weights: He, Zhang, Ren, Sun, 2015, arXiv 1502.01852.

    Examples:
        >>> import torch
        >>> energy = MlpDescriptor((13,), widths=(16, 16))
        >>> energy(torch.zeros(5, 13)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        widths: Annotated[tuple[Positive, ...], MinLen(1)] = (128, 128),
        activation: Activation = "silu",
        leak: Annotated[float, Ge(0)] = 0.2,
        reference_std: Annotated[float, Gt(0), OrInfinite()] = 1.0,
    ) -> None:
        super().__init__()
        self.reference_std = reference_std
        layers: list[nn.Module] = []
        for inputs, outputs in zip((math.prod(shape), *widths), widths, strict=False):
            layers += [nn.Linear(inputs, outputs), activation_layer(activation, leak)]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], 1)
        initialise_descriptor(
            self, "he", std=0.0, activation=activation, leak=leak, unactivated=[self.features[0]]
        )

    def forward(self, x: Tensor) -> Tensor:
        """E(x) in nats and float64, ``(B, *S) -> (B,)``."""
        reference = as_rows(x).double().square().sum(1) / (2 * self.reference_std**2)
        return reference - self.score(x)

    def score(self, x: Tensor) -> Tensor:
        """f(x) in nats and float64, ``(B, *S) -> (B,)``; high where examples are likely."""
        responses: Tensor = self.features(as_rows(x)).double()
        return responses @ self.head.weight[0].double() + self.head.bias.double()[0]

    @staticmethod
    def conformance() -> Mapping[str, Any]:
        """What ``ebmkit plugins check energies/mlp`` builds."""
        return {"widths": (8, 6), "reference_std": 0.3}
