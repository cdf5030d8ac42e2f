"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, final

import attrs
import torch
from torch import nn

from ebmkit.core import Ge, Lt, Optimizer

__all__ = ["SGD"]


@final
@attrs.frozen(kw_only=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

    Args:
        momentum: 0 for none; the authors of CoopNets use 0.5.
        weight_decay: added to the gradient as that multiple of the weights.
    """

    momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.0

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Torch's SGD, fused."""
        return torch.optim.SGD(
            parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=True
        )
