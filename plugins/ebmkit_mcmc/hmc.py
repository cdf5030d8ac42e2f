"""Hamiltonian Monte Carlo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, final

import attrs
from torch import Tensor

from ebmkit.core import EnergyFn, Ge, Gt, Info, Lt, Rng, Sampler
from ebmkit_mcmc.adaptation import DualAveraging, Tuned
from ebmkit_mcmc.metropolis import Evaluated, accept, choose, evaluate, inner

if TYPE_CHECKING:
    from ebmkit.testing import SamplerClaims

__all__ = ["HMC"]


@final
@attrs.frozen(kw_only=True)
class HMC(Sampler):
    r"""Follow the energy's Hamiltonian dynamics from a random momentum; accept or stay.

    $$H(x, p) = E(x) + \|p\|^2 / 2, \qquad \alpha = \min(1, e^{H(x, p) - H(x', p')})$$

    (x', p') is what ``leapfrogs`` leapfrog steps of size ε make of (x, p), with p drawn from N(0, I).
    The energy's own law is invariant, whatever the step size; with one leapfrog this is the
    Metropolis-adjusted Langevin algorithm with δ = ε. It watches ``acceptance``, and ``step_size`` where
    that adapts, and never moves to where the energy is not finite.

    On N(0, s² I) a trajectory turns by about L ε / s radians, and one of a whole turn comes back to
    where it began: choose L ε away from multiples of 2 π s.

    Args:
        step_size: ε in the units of x; stable on N(0, s² I) below 2 s. Where it adapts, that of the
            first step.
        leapfrogs: L, gradients per step.
        adapt_steps: steps in which every chain adapts its ε; 0 keeps ``step_size``. Chains have the
            energy's law only after these.
        target_acceptance: what ε adapts to.

    Source: Duane, Kennedy, Pendleton, Roweth, 1987; Neal, "MCMC using Hamiltonian dynamics", 2011,
    arXiv 1206.1901; Hoffman and Gelman, 2014, arXiv 1111.4246 (adaptation).

    Examples:
        >>> import torch
        >>> from ebmkit.core import run_chain
        >>> chain = run_chain(
        ...     HMC(step_size=0.5), lambda x: (x**2).sum(1) / 2, torch.zeros(100, 2), steps=9, rng=Rng(0)
        ... )
        >>> bool(chain.stats["acceptance"] > 0.9)
        True
    """

    step_size: Annotated[float, Gt(0)] = 0.01
    leapfrogs: Annotated[int, Ge(1)] = 5
    adapt_steps: Annotated[int, Ge(0)] = 0
    target_acceptance: Annotated[float, Gt(0), Lt(1)] = 0.8

    @property
    def _tuner(self) -> DualAveraging:
        return DualAveraging(self.step_size, self.adapt_steps, self.target_acceptance)

    def init(self, energy: EnergyFn, x: Tensor) -> Tuned:
        """The start of a chain with its energy and gradient."""
        return Tuned(*evaluate(energy, x), self._tuner.begin(x))

    def step(self, energy: EnergyFn, state: Tuned, rng: Rng) -> tuple[Tuned, Info]:
        """One trajectory for every chain: ``leapfrogs`` gradients."""
        here = Evaluated(*state[:3])
        momentum = rng.normal(state.x)
        size = self._tuner.size(state.tuning, state.x)
        there, end = self._leapfrog(energy, here, momentum, size)
        # Energies are large and their differences small: sum in float64.
        start, stop = (at.energy.double() + inner(p, p) / 2 for at, p in ((here, momentum), (there, end)))
        accepted = accept(start - stop, rng)
        info = self._tuner.watch(state.tuning, accepted)
        tuning = self._tuner.update(state.tuning, start - stop)
        return Tuned(*choose(accepted, there, here), tuning), info

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/hmc`` holds it to: the target's law, L gradients per step."""
        from ebmkit.testing import Exact, SamplerClaims

        settings = {"step_size": 0.8, "leapfrogs": 3}
        return SamplerClaims(
            settings=settings,
            law=Exact(),
            variants=({"step_size": 0.1, "adapt_steps": 30, "target_acceptance": 0.95},),
            steps=80,
            gradients=lambda each: each.leapfrogs,
        )

    def _leapfrog(
        self, energy: EnergyFn, at: Evaluated, momentum: Tensor, size: float | Tensor
    ) -> tuple[Evaluated, Tensor]:
        momentum = momentum - size / 2 * at.gradient
        for leap in range(self.leapfrogs):
            at = evaluate(energy, at.x + size * momentum)
            last = leap == self.leapfrogs - 1
            momentum = momentum - size / (2 if last else 1) * at.gradient
        return at, momentum
