"""E(x) and its gradient as torch's autograd gives them: what every faster way is held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from ebmkit.core.energy import EnergyFn
from ebmkit.core.precision import Precision
from ebmkit.core.torch_private import engine
from ebmkit.messages.brief import brief

__all__ = ["Gradient", "ValueAndGradient", "by_autograd"]


class ValueAndGradient(NamedTuple):
    """E(x) in nats, ``(B,)``, and its gradient with respect to x, ``(B, *S)``; both detached."""

    value: Tensor
    gradient: Tensor

    def __repr__(self) -> str:
        return brief(self)


Gradient: TypeAlias = Callable[[Tensor], ValueAndGradient]
"""Value and gradient of one energy with the weights it had when it was prepared."""


def by_autograd(energy: EnergyFn, x: Tensor, precision: Precision = "fp32") -> ValueAndGradient:
    r"""E(x) and $\nabla_x E(x)$, forming no other gradient.

    Args:
        energy: any callable ``(B, *S) -> (B,)``.
        x: where to evaluate, ``(B, *S)``.
        precision: ``bf16`` evaluates the energy under autocast.

    Raises:
        ValueError: the energy returned another shape than ``(B,)``.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        if precision == "bf16":
            with torch.autocast(x.device.type, torch.bfloat16):
                value = energy(x)
        else:
            value = energy(x)
        if value.ndim != 1 or len(value) != len(x):
            raise ValueError(
                f"an energy maps (B, *S) to (B,), but this one turned {tuple(x.shape)} "
                f"into {tuple(value.shape)}: sum over everything but the first dimension"
            )
        gradient = _derivative(value, x)
    return ValueAndGradient(value.detach(), gradient)


_backward = engine()
"""The engine that ``torch.autograd.grad`` calls, for energies of a few operations: what ``grad`` does around
the call takes a fifth of their step."""


def _derivative(value: Tensor, x: Tensor) -> Tensor:
    """The gradient of the sum of ``value`` with respect to x."""
    if _backward is None or not _is_plain(value):
        (gradient,) = torch.autograd.grad(value.sum(), x)
        return gradient
    ones, keeps_graph, makes_graph = torch.ones_like(value), False, False
    (gradient,) = _backward(
        (value,), (ones,), keeps_graph, makes_graph, (x,), allow_unreachable=False, accumulate_grad=False
    )
    return gradient  # type: ignore[no-any-return]


def _is_plain(value: Tensor) -> bool:
    """Whether ``grad`` has nothing to say about it: of complex energies, for one, there is no gradient."""
    return type(value) is Tensor and value.is_cpu and value.is_floating_point() and not value.is_sparse
