"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, final

import attrs
import torch
from torch import nn

from ebmkit.core import Ge, Gt, Lt, Optimizer

__all__ = ["Adam", "AdamW"]

Memory = Annotated[float, Ge(0), Lt(1)]


@final
@attrs.frozen(kw_only=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba, 2014, arXiv 1412.6980), in one fused kernel.

    Args:
        betas: decay of the first and second moment; the authors of CoopNets use 0.5, 0.999.
        eps: added to the denominator.
        weight_decay: added to the gradient as that multiple of the weights.
    """

    betas: tuple[Memory, Memory] = (0.5, 0.999)
    eps: Annotated[float, Gt(0)] = 1e-8
    weight_decay: Annotated[float, Ge(0)] = 0.0

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Torch's Adam, fused: a third of the unfused time or less."""
        return torch.optim.Adam(
            parameters, self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=True
        )


@final
@attrs.frozen(kw_only=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017, arXiv 1711.05101), fused.

    Each step first shrinks the weights by the factor 1 - lr · ``weight_decay``, whatever the gradient is.

    Args:
        betas: decay of the first and second moment; the authors of CoopNets use 0.5, 0.999.
        eps: added to the denominator.
        weight_decay: of the weights themselves, in units of the learning rate.
    """

    betas: tuple[Memory, Memory] = (0.5, 0.999)
    eps: Annotated[float, Gt(0)] = 1e-8
    weight_decay: Annotated[float, Ge(0)] = 0.01

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Torch's AdamW, fused."""
        return torch.optim.AdamW(
            parameters, self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=True
        )
