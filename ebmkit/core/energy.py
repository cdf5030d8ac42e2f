r"""The energy: one number in nats for each example, low where examples are likely."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

__all__ = ["Energy", "EnergyFn", "ValueAndGradient", "value_and_gradient"]

EnergyFn: TypeAlias = Callable[[Tensor], Tensor]
"""Any callable ``(B, *S) -> (B,)`` in nats: an ``Energy``, a posterior, a lambda."""


class Energy(nn.Module, ABC):
    r"""An energy-based model $p(x) = \exp(-E(x)) / Z$.

    ``forward`` maps ``(B, *S) -> (B,)``: nats, one number an example, rows independent of
    each other. Low energy means likely. The paper's descriptor is
    $E(x) = \|x\|^2 / 2 s^2 - f(x)$ (Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408,
    section 3). An energy may be returned in float64 where float32 could not resolve
    differences between neighbouring examples.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The energy of each example, ``(B, *S) -> (B,)``, in nats."""


class ValueAndGradient(NamedTuple):
    """E(x) in nats, ``(B,)``, and its gradient with respect to x, ``(B, *S)``; both detached."""

    value: Tensor
    gradient: Tensor


def value_and_gradient(energy: EnergyFn, x: Tensor) -> ValueAndGradient:
    r"""E(x) and $\nabla_x E(x)$ for each row of ``x``.

    Samplers get gradients from here and nowhere else, so that a faster way to compute them
    reaches every sampler. Only the gradient with respect to ``x`` is formed: parameters keep
    their ``.grad``, and no time goes into weight gradients (a third of a step).

    Args:
        energy: any callable ``(B, *S) -> (B,)``.
        x: where to evaluate, ``(B, *S)``.

    Raises:
        ValueError: the energy returned another shape than ``(B,)``.

    Examples:
        >>> import torch
        >>> value_and_gradient(lambda x: (x**2).sum(1) / 2, torch.tensor([[3.0, 4.0]]))
        ValueAndGradient(value=tensor([12.5000]), gradient=tensor([[3., 4.]]))
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = energy(x)
        if value.shape != x.shape[:1]:
            raise ValueError(
                f"an energy maps (B, *S) to (B,), but this one turned {tuple(x.shape)} "
                f"into {tuple(value.shape)}: sum over everything but the first dimension"
            )
        (gradient,) = torch.autograd.grad(value.sum(), x)
    return ValueAndGradient(value.detach(), gradient)
