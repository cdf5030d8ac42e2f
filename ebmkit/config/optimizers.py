"""The optimizers that ``optimizer = { use = … }`` offers, as thin records over torch's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, final

import attrs

from ebmkit.config.rates import DECAYS, Decay
from ebmkit.parameters.ranges import Checked, Ge, Gt, Lt

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

__all__ = ["OPTIMIZERS", "SGD", "Adam", "OptimizerSettings"]

Rate = Annotated[float, Gt(0)]
Memory = Annotated[float, Ge(0), Lt(1)]


@attrs.frozen(kw_only=True)
class OptimizerSettings(Checked, ABC):
    """Settings of an optimizer, apart from what it optimizes.

    Args:
        lr: learning rate at iteration 0.
        lr_decay: how it falls over k iterations, T being ``lr_span``: ``constant``;
            ``exponential``, $2^{-k/T}$; ``plateaus``, 80 of them log-spaced from 1 to 0.01 over T
            iterations (the authors' MATLAB code); ``robbins-monro``, $1 / (1 + k/T)$.
        lr_span: T, in iterations.
        gradient_cap: rescale the gradient of each tensor so that its largest entry is at most
            this (the authors' MATLAB code); 0 leaves gradients alone.
    """

    lr: Rate = 1e-3
    lr_decay: Decay = "constant"
    lr_span: Annotated[float, Gt(0)] = 1000.0
    gradient_cap: Annotated[float, Ge(0)] = 0.0

    def rate(self, iteration: int) -> float:
        """The learning rate of this iteration: a pure function, so nothing of it is saved.

        Examples:
            >>> Adam(lr=0.1, lr_decay="exponential", lr_span=10).rate(20)
            0.025
        """
        return self.lr * DECAYS[self.lr_decay](iteration / self.lr_span)

    def cap(self, gradients: Iterable[Tensor]) -> None:
        """Rescale each gradient in place to a largest absolute entry of at most ``gradient_cap``."""
        if self.gradient_cap:
            for gradient in gradients:
                gradient.mul_((self.gradient_cap / gradient.abs().max()).clamp_max(1))

    @abstractmethod
    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters."""


@final
@attrs.frozen(kw_only=True)
class Adam(OptimizerSettings):
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
        """Torch's Adam, fused: a third of the unfused time and fewer."""
        import torch

        return torch.optim.Adam(
            parameters, self.lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=True
        )


@final
@attrs.frozen(kw_only=True)
class SGD(OptimizerSettings):
    """Stochastic gradient descent with momentum.

    Args:
        momentum: 0 for none; the authors of CoopNets use 0.5.
        weight_decay: added to the gradient as that multiple of the weights.
    """

    momentum: Memory = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.0

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Torch's SGD, fused."""
        import torch

        return torch.optim.SGD(
            parameters, self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=True
        )


OPTIMIZERS: Mapping[str, type[OptimizerSettings]] = {"adam": Adam, "sgd": SGD}
