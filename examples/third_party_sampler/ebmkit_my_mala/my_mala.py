"""The sampler ``my-mala``: the Metropolis-adjusted Langevin algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple, final

import attrs
import torch
from ebmkit.core import EnergyFn, Gt, Info, Rng, Sampler, as_rows, per_row, value_and_gradient
from torch import Tensor

if TYPE_CHECKING:
    from ebmkit.testing import SamplerClaims

__all__ = ["MyMala", "MyMalaState"]


class MyMalaState(NamedTuple):
    """Where the chains are, with the energy and the gradient there: one new gradient a step."""

    x: Tensor
    energy: Tensor
    gradient: Tensor


@final
@attrs.frozen(kw_only=True)
class MyMala(Sampler):
    r"""A Langevin step, accepted with the probability that makes the energy's own law invariant.

    $$x' = x - \tfrac{\delta^2}{2} \nabla E(x) + \delta \epsilon, \qquad
    \alpha = \min\!\left(1, e^{E(x) - E(x')} \frac{q(x \mid x')}{q(x' \mid x)}\right)$$

    with $q(x' \mid x) = N(x' ; x - \frac{\delta^2}{2} \nabla E(x), \delta^2 I)$. Unlike
    plain Langevin it has no bias of the step size. It watches ``acceptance``, best near 0.574.

    Args:
        step_size: δ in the units of x, as in ``langevin``.

    Source: Roberts and Tweedie, "Exponential convergence of Langevin distributions and their
    discrete approximations", 1996.
    """

    step_size: Annotated[float, Gt(0)] = 0.002

    def init(self, energy: EnergyFn, x: Tensor) -> MyMalaState:
        """The start of a chain with its energy and gradient."""
        return MyMalaState(x, *value_and_gradient(energy, x))

    def step(self, energy: EnergyFn, state: MyMalaState, rng: Rng) -> tuple[MyMalaState, Info]:
        """Propose by Langevin, accept or stay, each chain for itself."""
        noise = rng.normal(state.x)
        x = state.x - self.step_size**2 / 2 * state.gradient + self.step_size * noise
        proposal = MyMalaState(x, *value_and_gradient(energy, x))
        log_ratio = (
            state.energy - proposal.energy + self._log_q(proposal, state) - self._log_q(state, proposal)
        )
        # A proposal with a NaN energy compares false and is refused.
        accepted = rng.uniform(log_ratio).log() < log_ratio
        return _choose(accepted, proposal, state), {"acceptance": accepted.float()}

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/my-mala`` holds it to: exact, one gradient a step."""
        from ebmkit.testing import Exact, SamplerClaims

        return SamplerClaims(settings={"step_size": 0.9}, law=Exact(), gradients=lambda _: 1)

    def _log_q(self, start: MyMalaState, end: MyMalaState) -> Tensor:
        """Log q(end | start) up to a constant, ``(B,)``, in float64: its terms are large and cancel."""
        drift = -(self.step_size**2) / 2 * start.gradient.double()
        offset = as_rows(end.x.double() - start.x.double() - drift)
        return -offset.square().sum(1) / (2 * self.step_size**2)


def _choose(accepted: Tensor, new: MyMalaState, old: MyMalaState) -> MyMalaState:
    """Row by row, the new state where it was accepted and the old one elsewhere."""
    rows = per_row(accepted, new.x)
    return MyMalaState(
        torch.where(rows, new.x, old.x),
        torch.where(accepted, new.energy, old.energy),
        torch.where(rows, new.gradient, old.gradient),
    )
