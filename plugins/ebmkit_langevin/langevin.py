"""Unadjusted Langevin dynamics in the paper's parametrisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, final

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
    brief,
    per_row,
    unstable_step,
    value_and_gradient,
)

if TYPE_CHECKING:
    from ebmkit.testing import LinearLaw, SamplerClaims

__all__ = ["Langevin"]

_LOWEST = 0.01
"""Share of the noise at the end of an exponential fall."""


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


def _watched_now(gradient: Tensor, rate: float, std: Tensor) -> dict[str, Tensor]:
    """``_watched`` of a noise that a tensor tells."""
    drift = _row_norm(gradient).mul_(rate / math.sqrt(gradient[0].numel()))
    return {"drift": drift, "noise": std, "gradient_share": drift / (drift + std)}


def _clipped(gradient: Tensor, longest: float) -> Tensor:
    """Each row no longer than that."""
    factor = (longest / _row_norm(gradient).clamp_min(1e-30)).clamp_max(1)
    return gradient * per_row(factor, gradient)


class _Timed(NamedTuple):
    """Where the chains are, and how many steps they have done."""

    x: Tensor
    done: Tensor

    def __repr__(self) -> str:
        return brief(self)


@final
@attrs.frozen(kw_only=True)
class Langevin(Sampler):
    r"""Langevin dynamics, the paper's revision (Step D1) and inference (Step G1).

    $$x \leftarrow x - \frac{\delta^2}{2} \nabla E(x) + \delta \sqrt{T}\, \epsilon,
    \qquad \epsilon \sim N(0, I)$$

    It samples $p(x)^{1/T}$, with the bias of a finite step: on
    $E = \|x - \mu\|^2 / 2 s^2$ at T = 1 the stationary variance is
    $s^2 / (1 - \delta^2 / 4 s^2)$ instead of s². Stability there needs δ < 2 s.

    Watches, in the units of x and as root mean square per coordinate: ``drift``, the gradient's share of
    each chain's step; ``noise``, the noise's, δ √T; and ``gradient_share`` = drift / (drift + noise), 1
    when only the gradient moves the chain.

    With ``clip``, ``clamp`` or ``noise_decay`` it does not: the chain is then a noisy descent, no longer a
    sampler of p. They are off by default.

    Args:
        step_size: δ in the units of x; the step on the gradient is η = δ²/2.
        noise: false leaves the noise out: gradient descent with step δ²/2, the
            zero-temperature limit.
        temperature: T, scales the noise by √T; 1 samples the energy's own distribution.
        clip: largest norm of a chain's step on the gradient, δ²/2 ‖∇E‖ over all of an example, in the units
            of x; longer ones are shortened, the noise is left alone. 0 for none.
        clamp: lowest and highest value of each coordinate, in the units of x: what a step leads beyond is put
            there. Not set for none.
        noise_decay: how the noise's standard deviation falls within a chain: ``constant``; ``linear``, to 0
            at its last step; ``exponential``, to a hundredth there.
        span: steps over which it falls, after which it stays; 0 means those of the chain (one that has no end
            keeps its noise).

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
    clip: Annotated[float, Ge(0)] = 0.0
    clamp: tuple[float, float] | None = None
    noise_decay: Literal["constant", "linear", "exponential"] = "constant"
    span: Annotated[int, Ge(0)] = 0

    def __attrs_post_init__(self) -> None:
        """Refuse what no number is."""
        super().__attrs_post_init__()
        if self.clamp is not None and not self.clamp[0] < self.clamp[1]:
            raise ValueError(f"clamp must be the lowest, then the highest value, got {list(self.clamp)}")

    def for_chain(self, steps: int) -> Langevin:
        """With the chain's length as the span of its noise, where none is given."""
        return self if self.noise_decay == "constant" or self.span else attrs.evolve(self, span=steps)

    def caution(self, energy: EnergyFn) -> str | None:
        """A step δ ≥ 2s on the energy's Gaussian reference, where nothing shortens or bounds the steps."""
        return None if self.clip or self.clamp else unstable_step(self.step_size, energy)

    def init(self, energy: EnergyFn, x: Tensor) -> State:
        """Where the chains start, with the number of steps done where moves depend on it."""
        return _Timed(x, torch.zeros((), device=x.device)) if self._falls else super().init(energy, x)

    def step(self, energy: EnergyFn, state: Any, rng: Rng) -> tuple[State, Info]:
        """One move: ``(B, *S) -> (B, *S)``, one gradient."""
        gradient = value_and_gradient(energy, state.x).gradient
        rate, std = self.step_size**2 / 2, self.step_size * math.sqrt(self.temperature) * self.noise
        if self.clip:
            gradient = _clipped(gradient, self.clip / rate)
        x = torch.add(state.x, gradient, alpha=-rate)
        if self._falls:
            now = std * self._share(state.done)
            x.addcmul_(rng.normal(x), now.to(x.dtype))
            return _Timed(self._clamped(x), state.done + 1), _watched_now(gradient, rate, now)
        if std:
            x.add_(rng.normal(x), alpha=std)
        return Position(self._clamped(x)), Derived(gradient, _watched, rate, std)

    @property
    def _falls(self) -> bool:
        return self.noise and self.noise_decay != "constant" and self.span > 0

    def _share(self, done: Tensor) -> Tensor:
        """Of the noise, after so many steps; a tensor, as all of a state is, so that graphs can hold it."""
        way = (done / max(self.span - 1, 1)).clamp_max(1)
        return 1 - way if self.noise_decay == "linear" else _LOWEST**way

    def _clamped(self, x: Tensor) -> Tensor:
        return x if self.clamp is None else x.clamp_(*self.clamp)

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
