r"""The energy: one number in nats for each example, low where examples are likely."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor, nn

from ebmkit.parameters.ranges import Checked

if TYPE_CHECKING:
    from ebmkit.core.autograd import Gradient

__all__ = ["Energy", "EnergyFn"]

EnergyFn: TypeAlias = Callable[[Tensor], Tensor]
"""Any callable ``(B, *S) -> (B,)`` in nats: an ``Energy``, a posterior, a lambda."""


class Energy(Checked, nn.Module, ABC):
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

    def prepare(self, x: Tensor) -> Gradient | None:
        """A faster way than autograd to value and gradient at states like ``x``, if this energy knows one.

        A chain asks once, before its first step. Most energies leave this alone: plugins recognise
        the usual networks by themselves.

        Args:
            x: a state of the chain, ``(B, *S)``.
        """
        del x
        return None
