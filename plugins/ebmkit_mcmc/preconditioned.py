"""Langevin dynamics with a step size for every coordinate, found from the gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Ge, Gt, Info, Lt, Rng, Sampler, as_rows, brief, per_row
from ebmkit_mcmc.adaptation import DualAveraging
from ebmkit_mcmc.metropolis import Evaluated, adjusted_langevin, evaluate

if TYPE_CHECKING:
    from ebmkit.testing import SamplerClaims

__all__ = ["Preconditioned", "PreconditionedState"]

_FORGETTING = 0.6
"""Step t of the adaptation counts t^-0.6: early gradients, far from the law, are forgotten."""

_FLAT = 1e-30
"""Squared gradients below this are none: a flat energy leaves M at 1."""


class PreconditionedState(NamedTuple):
    """Positions with energy and gradient, the mean squared gradient of each coordinate, the adaptation."""

    x: Tensor
    energy: Tensor
    gradient: Tensor
    fisher: Tensor
    tuning: Tensor

    def __repr__(self) -> str:
        return brief(self)


@final
@attrs.frozen(kw_only=True)
class Preconditioned(Sampler):
    r"""MALA with a diagonal preconditioner: stiff coordinates take small steps, loose ones large steps.

    $$x' = x - \tfrac{\delta^2}{2} M \nabla E(x) + \delta M^{1/2} \epsilon, \qquad
    M_i \propto \frac{1}{F_i + \lambda \bar F}, \qquad F_i \approx \mathrm{E}\,(\partial_i E)^2$$

    and accepted as in MALA. The inverse of the Fisher matrix is the preconditioner that moves fastest; here
    its diagonal is estimated by each chain from its own gradients during ``adapt_steps``, together with δ.
    Then M and δ stand still and the chain has the energy's law. M is scaled to a mean of 1, so that δ
    keeps the units of x. On a Gaussian with independent coordinates M becomes $s_i^2$ over their mean: all
    coordinates mix at one pace.

    It watches ``acceptance``, ``step_size``, and ``condition``, the largest M_i over the smallest.

    Args:
        step_size: δ of the first step, in the units of x; the root mean square over coordinates.
        adapt_steps: steps in which every chain adapts M and δ; with 0 it is MALA.
        target_acceptance: what δ adapts to.
        damping: λ, the share of the mean F that is added to each F_i; M_i differ by less than
            1 + d / λ, and none goes to infinity where the energy is flat.

    Source: Titsias, "Optimal preconditioning and Fisher adaptive Langevin sampling", 2023, arXiv 2305.14442
    (here the diagonal); Roberts and Stramer, 2002 (preconditioned MALA); Hoffman and Gelman, 2014,
    arXiv 1111.4246 (δ).
    """

    step_size: Annotated[float, Gt(0)] = 0.002
    adapt_steps: Annotated[int, Ge(0)] = 100
    target_acceptance: Annotated[float, Gt(0), Lt(1)] = 0.574
    damping: Annotated[float, Gt(0)] = 0.01

    @property
    def _tuner(self) -> DualAveraging:
        return DualAveraging(self.step_size, self.adapt_steps, self.target_acceptance)

    def init(self, energy: EnergyFn, x: Tensor) -> PreconditionedState:
        """The start of a chain, with M = 1."""
        return PreconditionedState(*evaluate(energy, x), torch.ones_like(x), self._tuner.begin(x))

    def step(
        self, energy: EnergyFn, state: PreconditionedState, rng: Rng
    ) -> tuple[PreconditionedState, Info]:
        """Propose with the present M and δ, accept or stay: one gradient."""
        metric = self._metric(state.fisher)
        size = self._tuner.size(state.tuning, state.x) * metric.sqrt()
        moved, accepted, log_ratio = adjusted_langevin(energy, Evaluated(*state[:3]), rng, size=size)
        condition = as_rows(metric).amax(1) / as_rows(metric).amin(1)
        info = {**self._tuner.watch(state.tuning, accepted), "condition": condition}
        fisher = self._learn(state, moved.gradient)
        return PreconditionedState(*moved, fisher, self._tuner.update(state.tuning, log_ratio)), info

    def _metric(self, fisher: Tensor) -> Tensor:
        """M, ``(B, *S)``: one over F + λ mean F, scaled to a mean of 1 in each chain."""
        damped = fisher + self.damping * per_row(as_rows(fisher).mean(1), fisher)
        metric = damped.clamp(min=_FLAT).reciprocal()
        return metric / per_row(as_rows(metric).mean(1), metric)

    def _learn(self, state: PreconditionedState, gradient: Tensor) -> Tensor:
        """F after one more gradient, as it was once the adaptation is over."""
        if not self.adapt_steps:
            return state.fisher
        count = state.tuning[:, 0]
        share = torch.where(count < self.adapt_steps, (count + 1) ** -_FORGETTING, 0.0).to(gradient.dtype)
        return torch.lerp(state.fisher, gradient.square(), per_row(share, gradient))

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/preconditioned`` holds it to: the law after the adaptation."""
        from ebmkit.testing import Exact, SamplerClaims

        return SamplerClaims(
            settings={"step_size": 0.3, "adapt_steps": 40},
            law=Exact(),
            steps=60,
            warmup=40,
            adapted=("fisher", "tuning"),
            gradients=lambda _: 1,
        )
