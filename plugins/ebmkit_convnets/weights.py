"""How the weights of the networks start."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal, TypeAlias

from torch import nn

from ebmkit_convnets.activations import Activation, gain, is_homogeneous
from ebmkit_convnets.axes import Convolution

__all__ = ["Initialisation", "initialise_descriptor", "initialise_weights"]

Initialisation: TypeAlias = Literal["auto", "normal", "he"]


def initialise_weights(network: nn.Module, std: float) -> None:
    """Weights from N(0, ``std``²), biases 0, for every (transposed) convolution and linear layer.

    0 leaves torch's own initialisation. The authors' code uses 0.01 for descriptors and 0.005
    for generators.
    """
    if std == 0:
        return
    for module in network.modules():
        if isinstance(module, Convolution | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def initialise_descriptor(
    network: nn.Module,
    how: Initialisation,
    *,
    std: float,
    activation: Activation,
    leak: float,
    unactivated: Collection[nn.Module],
) -> None:
    r"""The weights of a descriptor.

    ``normal`` is ``initialise_weights``. ``he`` draws the weights of each layer from $N(0, g^2 / n)$, n the
    numbers that one of its units reads and g the gain of the activation that made them, and sets biases
    to 0: every layer gives numbers of mean square 1 where x has. ``auto`` is ``normal`` for activations that
    are homogeneous, on whose shape the size of the weights has no influence, and ``he`` for the others: at
    weights of 0.01 a SiLU sees so little that it is a linear function, and with it the whole network.

    Args:
        network: whose convolutions and linear layers are meant.
        how: which of them.
        std: of ``normal``.
        activation: that made what the layers read.
        leak: slope of ``leaky-relu`` below zero.
        unactivated: layers that read what no activation made; their g is 1.
    """
    if how == "normal" or (how == "auto" and is_homogeneous(activation)):
        initialise_weights(network, std)
        return
    for module in network.modules():
        if isinstance(module, Convolution | nn.Linear):
            factor = 1.0 if module in unactivated else gain(activation, leak)
            nn.init.normal_(module.weight, std=factor / math.sqrt(module.weight[0].numel()))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
