"""Descent: the zero-temperature limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import EnergyFn, Gt, Info, Rng, Sampler, as_rows, brief, per_row
from ebmkit_mcmc.metropolis import Evaluated, choose, evaluate

if TYPE_CHECKING:
    from ebmkit.testing import LinearLaw, SamplerClaims

__all__ = ["Descent", "DescentState"]


class DescentState(NamedTuple):
    """Positions with energy and gradient, and each chain's step size, ``(B,)``: one new gradient a step."""

    x: Tensor
    energy: Tensor
    gradient: Tensor
    size: Tensor

    def __repr__(self) -> str:
        return brief(self)


@final
@attrs.frozen(kw_only=True)
class Descent(Sampler):
    r"""Gradient descent that never climbs: where chains go without noise.

    $$x' = x - \frac{\delta^2}{2} \nabla E(x)$$

    A chain moves to x' if $E(x') \le E(x)$; otherwise it stays and halves its δ, so a step size that is
    too large costs steps and does no harm. It ends in a local minimum, where the paper's descriptor
    reproduces its example from its own responses: $x = s^2 \nabla f(x)$. It draws nothing and samples
    nothing.

    It watches ``descended``, the share of steps taken, and ``slope``, the root mean square of
    $\partial_i E$ over coordinates, which goes to 0.

    Args:
        step_size: δ in the units of x, as in ``langevin``: the step on the gradient is δ²/2. On
            N(0, s² I) every δ below 2 s descends.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408 (zero-temperature limit and local modes); Armijo,
    1966 (halving).

    Examples:
        >>> import torch
        >>> from ebmkit.core import Rng, run_chain
        >>> descent, energy = Descent(step_size=1.0), lambda x: (x**2).sum(1)
        >>> run_chain(descent, energy, torch.ones(1, 2), steps=1, rng=Rng(0)).x
        tensor([[0., 0.]])
    """

    step_size: Annotated[float, Gt(0)] = 0.002

    def init(self, energy: EnergyFn, x: Tensor) -> DescentState:
        """The start of a chain with its energy and gradient."""
        return DescentState(*evaluate(energy, x), x.new_full((len(x),), self.step_size))

    def step(self, energy: EnergyFn, state: DescentState, rng: Rng) -> tuple[DescentState, Info]:
        """Descend, or stay and halve the step: one gradient."""
        del rng
        here = Evaluated(*state[:3])
        there = evaluate(energy, here.x - per_row(state.size, here.x) ** 2 / 2 * here.gradient)
        # A place without an energy compares false.
        lower = there.energy <= here.energy
        moved = choose(lower, there, here)
        slope = as_rows(moved.gradient).square().mean(1).sqrt()
        size = torch.where(lower, state.size, state.size / 2)
        return DescentState(*moved, size), {"descended": lower.float(), "slope": slope}

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/descent`` holds it to: plain steps where these descend."""
        from ebmkit.testing import Linear, SamplerClaims

        # On the curved targets of the kit only small steps descend everywhere.
        return SamplerClaims(
            settings={"step_size": 0.1},
            law=Linear(_one_step),
            variants=({"step_size": 0.8},),
            random=False,
            gradients=lambda _: 1,
        )


def _one_step(sampler: Descent, precision: Tensor) -> LinearLaw:
    """The exact step on a Gaussian: x to (1 - δ²/2 P) x."""
    from ebmkit.testing import LinearLaw

    identity = torch.eye(len(precision), dtype=precision.dtype)
    return LinearLaw(identity - sampler.step_size**2 / 2 * precision, 0 * identity)
