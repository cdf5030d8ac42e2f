"""The optimizer: how weights follow the gradients of their losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Annotated

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core.rates import DECAYS, Decay
from ebmkit.parameters.ranges import Checked, Ge, Gt

__all__ = ["Optimizer"]


@attrs.frozen(kw_only=True)
class Optimizer(Checked, ABC):
    """Settings of an optimizer, apart from what it optimizes.

    A subclass is an attrs class whose fields are further keys. What ``build`` makes of them keeps its state
    in tensors, as the classes of ``torch.optim`` do, so that a checkpoint can hold it.

    Args:
        lr: learning rate at iteration 0.
        lr_decay: how it falls over k iterations, T being ``lr_span``: ``constant``;
            ``exponential``, $2^{-k/T}$; ``plateaus``, 80 of them log-spaced from 1 to 0.01 over T
            iterations (the authors' MATLAB code); ``robbins-monro``, $1 / (1 + k/T)$.
        lr_span: T, in iterations.
        gradient_clip: the largest entry that the gradient of a tensor may have; where it has a larger one the
            whole tensor is rescaled: clipped by its maximum norm, which keeps its direction, not entry by
            entry (the authors' MATLAB code); 0 leaves gradients alone.
        gradient_norm: the largest Euclidean norm that the gradient of the whole part may have, after
            ``gradient_clip``; a larger one is rescaled; 0 leaves it alone.
    """

    lr: Annotated[float, Gt(0)] = 1e-3
    lr_decay: Decay = "constant"
    lr_span: Annotated[float, Gt(0)] = 1000.0
    gradient_clip: Annotated[float, Ge(0)] = 0.0
    gradient_norm: Annotated[float, Ge(0)] = 0.0

    def rate(self, iteration: int) -> float:
        """The learning rate of this iteration: a pure function, so nothing of it is saved."""
        return self.lr * DECAYS[self.lr_decay](iteration / self.lr_span)

    def clip(self, gradients: Sequence[Tensor]) -> None:
        """Clip gradients in place: each by ``gradient_clip``, then all together by ``gradient_norm``."""
        if self.gradient_clip:
            for gradient in gradients:
                gradient.mul_((self.gradient_clip / gradient.abs().max()).clamp_max(1))
        if self.gradient_norm:
            factor = (self.gradient_norm / nn.utils.get_total_norm(gradients)).clamp_max(1)
            for gradient in gradients:
                gradient.mul_(factor)

    @abstractmethod
    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of these parameters, which steps at the rate of its parameter groups."""
