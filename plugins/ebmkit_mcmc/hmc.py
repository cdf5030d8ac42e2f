"""Hamiltonian Monte Carlo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Ge, Gt, Info, Rng, Sampler, value_and_gradient

if TYPE_CHECKING:
    from ebmkit.testing import SamplerClaims

__all__ = ["HMC", "HMCState"]


class HMCState(NamedTuple):
    """Where the chains are, with the energy and the gradient there: L new gradients a step."""

    x: Tensor
    energy: Tensor
    gradient: Tensor


@final
@attrs.frozen(kw_only=True)
class HMC(Sampler):
    r"""Follow the energy's Hamiltonian dynamics from a random momentum; accept or stay.

    $$H(x, p) = E(x) + \|p\|^2 / 2, \qquad \alpha = \min(1, e^{H(x, p) - H(x', p')})$$

    (x', p') is what ``leapfrogs`` leapfrog steps of size ε make of (x, p), with p drawn from N(0, I).
    The energy's own law is invariant, whatever the step size; with one leapfrog this is the
    Metropolis-adjusted Langevin algorithm with δ = ε. It watches ``acceptance``, best near 0.65, and
    never moves to where the energy is not finite.

    On N(0, s² I) a trajectory turns by about L ε / s radians, and one of a whole turn comes back to
    where it began: choose L ε away from multiples of 2 π s.

    Args:
        step_size: ε in the units of x; stable on N(0, s² I) below 2 s.
        leapfrogs: L, gradients a step.

    Source: Duane, Kennedy, Pendleton, Roweth, 1987; Neal, "MCMC using Hamiltonian dynamics", 2011,
    arXiv 1206.1901.

    Examples:
        >>> from ebmkit.core import run_chain
        >>> chain = run_chain(
        ...     HMC(step_size=0.5), lambda x: (x**2).sum(1) / 2, torch.zeros(100, 2), steps=9, rng=Rng(0)
        ... )
        >>> bool(chain.stats["acceptance"] > 0.9)
        True
    """

    step_size: Annotated[float, Gt(0)] = 0.01
    leapfrogs: Annotated[int, Ge(1)] = 5

    def init(self, energy: EnergyFn, x: Tensor) -> HMCState:
        """The start of a chain with its energy and gradient."""
        return HMCState(x, *value_and_gradient(energy, x))

    def step(self, energy: EnergyFn, state: HMCState, rng: Rng) -> tuple[HMCState, Info]:
        """One trajectory for every chain: ``leapfrogs`` gradients."""
        momentum = rng.normal(state.x)
        proposal, end = self._leapfrog(energy, state, momentum)
        # Energies are large and their differences small: sum in float64.
        start, stop = (at.energy.double() + _kinetic(p) for at, p in ((state, momentum), (proposal, end)))
        # A proposal with a NaN energy compares false and is refused.
        accepted = rng.uniform(start).log() < start - stop
        return _choose(accepted, proposal, state), {"acceptance": accepted.float()}

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/hmc`` holds it to: the target's law, L gradients a step."""
        from ebmkit.testing import Exact, SamplerClaims

        settings = {"step_size": 0.8, "leapfrogs": 3}
        return SamplerClaims(settings=settings, law=Exact(), steps=60, gradients=lambda each: each.leapfrogs)

    def _leapfrog(self, energy: EnergyFn, at: HMCState, momentum: Tensor) -> tuple[HMCState, Tensor]:
        momentum = momentum - self.step_size / 2 * at.gradient
        for leap in range(self.leapfrogs):
            x = at.x + self.step_size * momentum
            at = HMCState(x, *value_and_gradient(energy, x))
            last = leap == self.leapfrogs - 1
            momentum = momentum - self.step_size / (2 if last else 1) * at.gradient
        return at, momentum


def _kinetic(momentum: Tensor) -> Tensor:
    """|p|²/2, ``(B,)``, in float64."""
    return momentum.double().square().flatten(1).sum(1) / 2


def _choose(accepted: Tensor, new: HMCState, old: HMCState) -> HMCState:
    """Row by row, the new state where it was accepted and the old one elsewhere."""
    rows = accepted.view(-1, *[1] * (new.x.ndim - 1))
    return HMCState(
        torch.where(rows, new.x, old.x),
        torch.where(accepted, new.energy, old.energy),
        torch.where(rows, new.gradient, old.gradient),
    )
