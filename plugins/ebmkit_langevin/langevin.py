"""Unadjusted Langevin dynamics in the paper's parametrisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, final

import attrs
import torch
from torch import Tensor

from ebmkit.core import (
    Derived,
    EnergyFn,
    Ge,
    Gt,
    Info,
    Position,
    Rng,
    Sampler,
    State,
    as_rows,
    value_and_gradient,
)

if TYPE_CHECKING:
    from ebmkit.testing import LinearLaw, SamplerClaims

__all__ = ["Langevin"]


def _row_norm(x: Tensor) -> Tensor:
    """The norm of each row, ``(B, *S) -> (B,)``."""
    norm: Tensor = torch.linalg.vector_norm(as_rows(x), dim=1)
    return norm


def _watched(gradient: Tensor, rate: float, std: float) -> dict[str, Tensor]:
    """What people watch of moves by ``-rate`` times the gradient and by noise of this standard deviation."""
    drift = _row_norm(gradient).mul_(rate / math.sqrt(gradient[0].numel()))
    if not std:
        return {"drift": drift}
    return {"drift": drift, "noise": drift.new_full((), std), "gradient_share": drift / (drift + std)}


@final
@attrs.frozen(kw_only=True)
class Langevin(Sampler):
    r"""Langevin dynamics, the paper's revision (Step D1) and inference (Step G1).

    $$x \leftarrow x - \frac{\delta^2}{2} \nabla E(x) + \delta \sqrt{T}\, \epsilon,
    \qquad \epsilon \sim N(0, I)$$

    It samples $p(x)^{1/T}$, with the bias of a finite step: on
    $E = \|x - \mu\|^2 / 2 s^2$ at T = 1 the stationary variance is
    $s^2 / (1 - \delta^2 / 4 s^2)$ instead of s². Stability there needs δ < 2 s.

    Watches, in the units of x and as root mean square a coordinate: ``drift``, the gradient's share of
    each chain's step; ``noise``, the noise's, δ √T; and ``gradient_share`` = drift / (drift + noise), 1
    when only the gradient moves the chain.

    Args:
        step_size: δ in the units of x; the step on the gradient is η = δ²/2.
        noise: false leaves the noise out: gradient descent with step δ²/2, the
            zero-temperature limit.
        temperature: T, scales the noise by √T; 1 samples the energy's own distribution.

    Source: Xie, Lu, Gao, Zhu, Wu, 2016, arXiv 1609.09408, Steps D1 and G1; the bias of the
    Gaussian case is elementary (Roberts and Tweedie, 1996, for the discretisation in general).

    Examples:
        >>> import torch
        >>> from ebmkit.core import Rng, run_chain
        >>> descent = Langevin(step_size=2**0.5, noise=False)
        >>> run_chain(descent, lambda x: ((x - 3) ** 2).sum(1) / 2, torch.zeros(1, 2), steps=1, rng=Rng(0)).x
        tensor([[3., 3.]])
    """

    step_size: Annotated[float, Gt(0)] = 0.002
    noise: bool = True
    temperature: Annotated[float, Ge(0)] = 1.0

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[State, Info]:
        """One move: ``(B, *S) -> (B, *S)``, one gradient."""
        gradient = value_and_gradient(energy, state.x).gradient
        rate, std = self.step_size**2 / 2, self.step_size * math.sqrt(self.temperature) * self.noise
        x = torch.add(state.x, gradient, alpha=-rate)
        if std:
            x.add_(rng.normal(x), alpha=std)
        return Position(x), Derived(gradient, _watched, rate, std)

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/langevin`` holds it to, with and without its noise."""
        from ebmkit.testing import Linear, SamplerClaims

        return SamplerClaims(law=Linear(_one_step), variants=({"noise": False},), gradients=lambda _: 1)


def _one_step(sampler: Langevin, precision: Tensor) -> LinearLaw:
    """The exact law of a step on a Gaussian: x to (1 - δ²/2 P) x + δ √T ε."""
    from ebmkit.testing import LinearLaw

    identity = torch.eye(len(precision), dtype=precision.dtype)
    noise = sampler.noise * sampler.temperature * sampler.step_size**2
    return LinearLaw(identity - sampler.step_size**2 / 2 * precision, noise * identity)
