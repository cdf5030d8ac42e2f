"""The nonlinearities of a stack, with the derivative that a gradient needs."""

from __future__ import annotations

from typing import final

import attrs
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["IDENTITY", "Activation", "activation_named"]

_aten = torch.ops.aten


@final
@attrs.frozen
class Activation:
    """φ, elementwise.

    Attributes:
        name: ``leaky`` (the identity, slope 1, and the ReLU, slope 0, among them), ``tanh``, ``silu``
            or ``softplus``.
        slope: below zero, of ``leaky``.
    """

    name: str
    slope: float = 0.0

    @property
    def remembers_result(self) -> bool:
        """Whether φ' can be read off φ(a), so that a itself need not be kept."""
        return self.name in ("leaky", "tanh")

    def __call__(self, a: Tensor) -> Tensor:
        """φ(a); may overwrite a where φ' is read off the result."""
        if self.name == "leaky":
            if self.slope == 1.0:
                return a
            return torch.relu_(a) if self.slope == 0.0 else functional.leaky_relu_(a, self.slope)
        if self.name == "tanh":
            return torch.tanh_(a)
        return functional.silu(a) if self.name == "silu" else functional.softplus(a)

    def backward(self, gradient: Tensor, memory: Tensor) -> Tensor:
        """``gradient`` times φ'; ``memory`` is φ(a) if ``remembers_result``, otherwise a."""
        if self.name == "leaky":
            if self.slope == 1.0:
                return gradient
            if self.slope == 0.0:
                return _aten.threshold_backward(gradient, memory, 0)  # type: ignore[no-any-return]
            return _aten.leaky_relu_backward(gradient, memory, self.slope, True)  # type: ignore[no-any-return]
        if self.name == "tanh":
            return _aten.tanh_backward(gradient, memory)  # type: ignore[no-any-return]
        if self.name == "silu":
            return _aten.silu_backward(gradient, memory)  # type: ignore[no-any-return]
        return gradient * torch.sigmoid(memory)


IDENTITY = Activation("leaky", 1.0)


def activation_named(name: str, slope: float = 0.0) -> Activation:
    """The activation that torch's operation of this name computes.

    Raises:
        ValueError: a slope for which the closed form here does not hold: φ' must be read off φ(a).
    """
    if slope < 0:
        raise ValueError(f"{name} with the slope {slope} below zero")
    return Activation("leaky", 0.0 if name == "relu" else slope) if "relu" in name else Activation(name)
