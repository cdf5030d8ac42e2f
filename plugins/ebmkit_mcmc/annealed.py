"""Langevin dynamics whose temperature falls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import (
    EnergyFn,
    Ge,
    Gt,
    Info,
    Rng,
    Sampler,
    brief,
    per_row,
    unstable_step,
    value_and_gradient,
)

if TYPE_CHECKING:
    from ebmkit.testing import LinearLaw, SamplerClaims

__all__ = ["Annealed", "AnnealedState"]


class AnnealedState(NamedTuple):
    """Where the chains are, and how many steps they have made, ``(B,)`` float64."""

    x: Tensor
    steps: Tensor

    def __repr__(self) -> str:
        return brief(self)


@final
@attrs.frozen(kw_only=True)
class Annealed(Sampler):
    r"""Langevin dynamics that starts hot and cools: simulated annealing of a chain.

    $$x \leftarrow x - \frac{\delta^2}{2} \nabla E(x) + \delta \sqrt{T_t}\, \epsilon, \qquad
    T_t = T \left(\frac{T_0}{T}\right)^{\max(0,\, 1 - t / n)}$$

    Hot chains cross between modes, cold ones settle in them: after n steps it is plain Langevin dynamics at
    temperature T, with the same bias of the step size. How many chains settle in which mode depends on how
    slowly they cool, so shares of modes are not those of the energy; parallel tempering gets them right.
    With T = T₀ it is tempered Langevin dynamics, with T near 0 an optimiser. The chain begins hot again
    whenever it is started anew, as every iteration of a training does.

    It watches ``temperature``.

    Args:
        step_size: δ in the units of x, as in ``langevin``.
        temperature_start: T₀, of the first step.
        temperature: T, from step n on; 1 is the energy's own law.
        anneal_steps: n, steps that the cooling takes; 0 is T from the start.

    Source: Kirkpatrick, Gelatt, Vecchi, 1983; Geman and Hwang, "Diffusions for global optimization", 1986.
    """

    step_size: Annotated[float, Gt(0)] = 0.002
    temperature_start: Annotated[float, Gt(0)] = 10.0
    temperature: Annotated[float, Gt(0)] = 1.0
    anneal_steps: Annotated[int, Ge(0)] = 100

    def caution(self, energy: EnergyFn) -> str | None:
        """A step δ ≥ 2s on the energy's Gaussian reference."""
        return unstable_step(self.step_size, energy)

    def init(self, energy: EnergyFn, x: Tensor) -> AnnealedState:
        """The start of a chain, at the temperature T₀."""
        del energy
        return AnnealedState(x, torch.zeros(len(x), dtype=torch.float64, device=x.device))

    def step(self, energy: EnergyFn, state: AnnealedState, rng: Rng) -> tuple[AnnealedState, Info]:
        """One move at the temperature of this step: one gradient."""
        x, steps = state
        temperature = self._temperature(steps)
        spread = per_row(self.step_size * temperature.sqrt(), x).to(x.dtype)
        gradient = value_and_gradient(energy, x).gradient
        x = x - self.step_size**2 / 2 * gradient + spread * rng.normal(x)
        return AnnealedState(x, steps + 1), {"temperature": temperature}

    def _temperature(self, steps: Tensor) -> Tensor:
        """T_t, ``(B,)`` float64."""
        left = (1 - steps / self.anneal_steps).clamp(min=0) if self.anneal_steps else torch.zeros_like(steps)
        return self.temperature * (self.temperature_start / self.temperature) ** left

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/annealed`` holds it to: Langevin's law, once it is cool."""
        from ebmkit.testing import Linear, SamplerClaims

        return SamplerClaims(
            settings={"step_size": 0.8, "anneal_steps": 0}, law=Linear(_one_step), gradients=lambda _: 1
        )


def _one_step(sampler: Annealed, precision: Tensor) -> LinearLaw:
    """The exact law of a step on a Gaussian at the last temperature: x to (1 - δ²/2 P) x + δ √T ε."""
    from ebmkit.testing import LinearLaw

    identity = torch.eye(len(precision), dtype=precision.dtype)
    noise = sampler.temperature * sampler.step_size**2
    return LinearLaw(identity - sampler.step_size**2 / 2 * precision, noise * identity)
