"""The Metropolis-adjusted Langevin algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, final

import attrs
from torch import Tensor

from ebmkit.core import EnergyFn, Ge, Gt, Info, Lt, Rng, Sampler
from ebmkit_mcmc.adaptation import DualAveraging, Tuned
from ebmkit_mcmc.metropolis import Evaluated, adjusted_langevin, evaluate

if TYPE_CHECKING:
    from ebmkit.testing import SamplerClaims

__all__ = ["MALA"]


@final
@attrs.frozen(kw_only=True)
class MALA(Sampler):
    r"""A Langevin step, accepted with the probability that makes the energy's own law invariant.

    $$x' = x - \tfrac{\delta^2}{2} \nabla E(x) + \delta \epsilon, \qquad
    \alpha = \min\!\left(1, e^{E(x) - E(x')} \frac{q(x \mid x')}{q(x' \mid x)}\right)$$

    with $q(x' \mid x) = N(x' ; x - \frac{\delta^2}{2} \nabla E(x), \delta^2 I)$. Unlike plain Langevin
    it has no bias of the step size, and it never goes where the energy is not finite. The ratio
    is summed in float64, like the energies.

    It watches ``acceptance``, best near 0.574, and ``step_size`` where that adapts.

    Args:
        step_size: δ in the units of x, as in ``langevin``; where it adapts, that of the first step.
        adapt_steps: steps in which every chain adapts its δ; 0 keeps ``step_size``. Chains have the
            energy's law only after these.
        target_acceptance: what δ adapts to.

    Source: Roberts and Tweedie, "Exponential convergence of Langevin distributions and their discrete
    approximations", 1996; Roberts and Rosenthal, 1998 (0.574); Hoffman and Gelman, 2014, arXiv 1111.4246
    (adaptation).
    """

    step_size: Annotated[float, Gt(0)] = 0.002
    adapt_steps: Annotated[int, Ge(0)] = 0
    target_acceptance: Annotated[float, Gt(0), Lt(1)] = 0.574

    @property
    def _tuner(self) -> DualAveraging:
        return DualAveraging(self.step_size, self.adapt_steps, self.target_acceptance)

    def init(self, energy: EnergyFn, x: Tensor) -> Tuned:
        """The start of a chain with its energy and gradient."""
        return Tuned(*evaluate(energy, x), self._tuner.begin(x))

    def step(self, energy: EnergyFn, state: Tuned, rng: Rng) -> tuple[Tuned, Info]:
        """Propose by Langevin, accept or stay, each chain for itself: one gradient."""
        size = self._tuner.size(state.tuning, state.x)
        moved, accepted, log_ratio = adjusted_langevin(energy, Evaluated(*state[:3]), rng, size=size)
        info = self._tuner.watch(state.tuning, accepted)
        tuning = self._tuner.update(state.tuning, log_ratio)
        return Tuned(*moved, tuning), info

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/mala`` holds it to: the target's law, one gradient a step."""
        from ebmkit.testing import Exact, SamplerClaims

        return SamplerClaims(
            settings={"step_size": 0.9},
            law=Exact(),
            variants=({"step_size": 0.1, "adapt_steps": 40},),
            steps=100,
            gradients=lambda _: 1,
        )
