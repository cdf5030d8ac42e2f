"""The nonlinearities of descriptors, with the gain that their initial weights need."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from torch import nn

__all__ = ["Activation", "activation_layer", "gain", "is_homogeneous"]

Activation: TypeAlias = Literal["leaky-relu", "relu", "elu", "silu", "gelu"]

_GAINS = {"elu": 1.2451983007, "silu": 1.6765324703, "gelu": 1.5335304412}
_LAYERS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU, "silu": nn.SiLU, "gelu": nn.GELU}


def activation_layer(name: Activation, leak: float) -> nn.Module:
    """The layer of this name; ``leak`` is the slope below zero of ``leaky-relu``."""
    return nn.LeakyReLU(leak) if name == "leaky-relu" else _LAYERS[name]()


def gain(name: Activation, leak: float) -> float:
    r"""The factor that keeps the mean square of what layers pass on: $1 / \sqrt{E[\phi(u)^2]}$, u ~ N(0, 1).

    For rectifiers it is $\sqrt{2 / (1 + a^2)}$, a the slope below zero; the others' are integrals.

    Source: He, Zhang, Ren, Sun, 2015, arXiv 1502.01852, section 2.2.

    Examples:
        >>> gain("relu", 0.2) == 2**0.5
        True
    """
    slope = {"relu": 0.0, "leaky-relu": leak}.get(name)
    return _GAINS[name] if slope is None else math.sqrt(2 / (1 + slope**2))


def is_homogeneous(name: Activation) -> bool:
    """Whether φ(c a) = c φ(a) for every c > 0, so that the size of the weights decides no shape."""
    return name in ("leaky-relu", "relu")
