"""The nonlinearities of a stack, with the derivative that a gradient needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ACTIVATION_MODULES", "IDENTITY", "Activation", "activation_named"]

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

_DEFAULT_SLOPE = 0.01
"""Of torch's leaky ReLU; what functions without a slope show."""


def activation_named(
    name: str, negative_slope: float = _DEFAULT_SLOPE, *, inplace: bool = False
) -> Activation:
    """The activation that a function of torch of this name computes.

    Raises:
        TypeError: arguments for which the closed forms here do not hold.
    """
    del inplace
    if name in ("relu", "relu_"):
        return Activation("leaky", 0.0)
    if name == "leaky_relu" and negative_slope >= 0:
        return Activation("leaky", negative_slope)
    if name in ("tanh", "silu", "softplus") and negative_slope == _DEFAULT_SLOPE:
        return Activation(name)
    raise TypeError(f"{name} with an argument of {negative_slope}")


def _softplus(module: nn.Softplus) -> Activation:
    if (module.beta, module.threshold) != (1, 20):
        raise TypeError("softplus with other than the default parameters")
    return Activation("softplus")


ACTIVATION_MODULES: Mapping[type[nn.Module], Callable[[Any], Activation]] = {
    nn.ReLU: lambda _: Activation("leaky", 0.0),
    nn.LeakyReLU: lambda module: activation_named("leaky_relu", module.negative_slope),
    nn.Tanh: lambda _: Activation("tanh"),
    nn.SiLU: lambda _: Activation("silu"),
    nn.Softplus: _softplus,
}
"""How each module of torch reads."""
