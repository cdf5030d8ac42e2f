"""Step sizes that adapt to an acceptance rate, then stand still."""

from __future__ import annotations

import math
from typing import NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import brief, per_row

__all__ = ["DualAveraging", "Tuned"]

_SPREAD, _CALM, _DECAY = 0.05, 10.0, 0.75
"""γ, t₀ and κ of Hoffman and Gelman, section 3.2.1: their values."""


class Tuned(NamedTuple):
    """Where chains are, the energy and the gradient there, and the numbers of ``DualAveraging``."""

    x: Tensor
    energy: Tensor
    gradient: Tensor
    tuning: Tensor

    def __repr__(self) -> str:
        return brief(self)


@final
@attrs.frozen
class DualAveraging:
    r"""Each chain finds the step size at which it accepts as often as it should.

    With the acceptance probability $\alpha_t$ of step t = 1, 2, …

    $$\bar H_t = \Bigl(1 - \frac{1}{t + t_0}\Bigr) \bar H_{t-1} + \frac{\alpha^* - \alpha_t}{t + t_0}, \qquad
    \log \epsilon_{t+1} = \log 10 \epsilon_1 - \frac{\sqrt t}{\gamma} \bar H_t, \qquad
    \log \bar\epsilon_t = t^{-\kappa} \log \epsilon_{t+1} + (1 - t^{-\kappa}) \log \bar\epsilon_{t-1}$$

    and after ``steps`` steps $\bar\epsilon$ for good. While it adapts, a chain has no invariant law;
    afterwards it is an ordinary Metropolis chain, which accepts somewhat more often than α*, the more so
    the shorter the adaptation was. Every chain adapts by itself: sharing the acceptance
    would make chains depend on each other, and on how many there are. The numbers are kept in one tensor
    of the sampler's state, ``(B, 4)`` float64: t, log ε, log ε̄, H̄; without adaptation it is ``(B, 0)``.

    Args:
        first: ε₁.
        steps: of adaptation; 0 keeps ε₁.
        target: α*, in (0, 1).

    Source: Hoffman and Gelman, "The No-U-Turn sampler", 2014, arXiv 1111.4246, section 3.2; Nesterov, 2009.
    """

    first: float
    steps: int
    target: float

    def begin(self, x: Tensor) -> Tensor:
        """The numbers at the start of chains at ``x``."""
        start = [0.0, math.log(self.first), math.log(self.first), 0.0] if self.steps else []
        return torch.tensor(start, dtype=torch.float64, device=x.device).repeat(len(x), 1)

    def size(self, tuning: Tensor, like: Tensor) -> float | Tensor:
        """ε of the next step: a number, or ``(B, 1, …)`` in the precision of ``like``."""
        return per_row(tuning[:, 1].exp(), like).to(like.dtype) if self.steps else self.first

    def watch(self, tuning: Tensor, accepted: Tensor) -> dict[str, Tensor]:
        """What people watch: ``acceptance``, and the ``step_size`` of this step where it adapts, ``(B,)``."""
        adapted = {"step_size": tuning[:, 1].exp()} if self.steps else {}
        return {"acceptance": accepted.float(), **adapted}

    def update(self, tuning: Tensor, log_ratio: Tensor) -> Tensor:
        """The numbers after a step whose logarithm of the acceptance ratio was ``log_ratio``, ``(B,)``."""
        if not self.steps:
            return tuning
        # A proposal without an energy counts as refused.
        probability = log_ratio.clamp(max=0).exp().nan_to_num(nan=0.0)
        count, _, average, shortfall = tuning.unbind(1)
        t = count + 1
        weight = 1 / (t + _CALM)
        shortfall = shortfall + weight * (self.target - probability - shortfall)
        log_size = math.log(10 * self.first) - t.sqrt() / _SPREAD * shortfall
        share = t**-_DECAY
        average = share * log_size + (1 - share) * average
        log_size = torch.where(t < self.steps, log_size, average)
        updated = torch.stack([t, log_size, average, shortfall], 1)
        return torch.where(count[:, None] < self.steps, updated, tuning)
