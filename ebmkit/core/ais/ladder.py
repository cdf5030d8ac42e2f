r"""The temperatures of an annealing, and the step size at each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core.ais.path import Bridge, Reference, excess, in_use
from ebmkit.core.chain import run_chain
from ebmkit.core.energy import EnergyFn
from ebmkit.core.gradient import prepare
from ebmkit.core.rng import Rng
from ebmkit.core.sampler import Sampler
from ebmkit.messages.brief import brief

__all__ = ["Ladder", "find_ladder"]

_SHARE = 0.5
"""Of the chains that are left, as effective sample size, after one rung of the pilot."""

_RUNGS, _LEAST = 1000, 1e-12
"""How many rungs there are at most, and how far apart they are at least."""

_FIRST, _LATER = 30, 4
"""Moves in which the pilot adapts the step at its first rung, and at each of the others."""

_TARGET = 0.7
"""Acceptance for samplers that name none."""


@final
@attrs.frozen
class Ladder:
    """How chains climb: where they stop, and by which kernel they move there.

    Attributes:
        betas: β₀ = 0 < β₁ < … < β_K = 1.
        kernels: of β₁, …, β_K: each leaves the law of its energy as it is, and is reversible (Metropolis
            samplers with a fixed step, such as ``mala`` and ``hmc``).
        moves: of each chain at each β, >= 1.

    Raises:
        ValueError: these numbers do not fit each other.
    """

    betas: tuple[float, ...]
    kernels: tuple[Sampler, ...]
    moves: int = 1

    def __attrs_post_init__(self) -> None:
        if self.betas[0] != 0 or self.betas[-1] != 1 or sorted(set(self.betas)) != list(self.betas):
            raise ValueError("the betas of a ladder rise from 0 to 1")
        if len(self.kernels) != len(self.betas) - 1 or self.moves < 1:
            raise ValueError("a ladder has a kernel for each beta above 0, and at least one move of it")

    def __repr__(self) -> str:
        return brief(self)

    @classmethod
    def even(cls, sampler: Sampler, temperatures: int, *, moves: int = 1) -> Ladder:
        """Equal steps of β, and one kernel for all of them."""
        betas = tuple(k / temperatures for k in range(temperatures + 1))
        return cls(betas, (_fixed(sampler),) * temperatures, moves)


class _Rung(NamedTuple):
    beta: float
    kernel: Sampler


def find_ladder(
    energy: EnergyFn,
    reference: Reference,
    sampler: Sampler,
    *,
    temperatures: int,
    rng: Rng,
    moves: int = 1,
    chains: int = 64,
    dtype: torch.dtype = torch.float32,
) -> Ladder:
    r"""Climb once with a few chains to see where small steps of β are needed, and how long moves may be.

    Each rung of this pilot is as far from the last as leaves half the chains in effect: the β at which the
    weights $e^{-\Delta\beta (E - E_0)}$ have an effective sample size of half their number. The ladder
    divides these rungs evenly, so that no step of it costs much more than others. A ``step_size`` adapts from
    rung to rung to the sampler's ``target_acceptance``; where nothing is accepted or refused it stays. The
    ladder is fixed before the chains that count begin, and independent of them: so they stay exact.

    Args:
        energy: E.
        reference: E₀.
        sampler: whose ``step_size`` is where to begin.
        temperatures: K, how many β above 0.
        rng: of the pilot alone.
        moves: of the ladder.
        chains: of the pilot.
        dtype: of the states.

    Raises:
        ValueError: no ladder of a thousand rungs leads there: the energy is too far from this Gaussian, or is
            not finite at half its draws.

    Source: Zhou, Johansen, Aston, 2016, arXiv 1303.3123, section 3.3 (steps by effective sample size).
    """
    with in_use(energy):
        x = reference.draw(chains, rng=rng.fold_in("start"), dtype=dtype)
        prepared = prepare(energy, x)
        rungs = [_Rung(0.0, _fixed(sampler))]
        while rungs[-1].beta < 1:
            beta = _next(rungs[-1].beta, excess(reference, prepared, x))
            if len(rungs) > _RUNGS or beta - rungs[-1].beta < _LEAST:
                reached = f"{len(rungs)} steps led from one to the other as far as β = {beta:.3g} of 1"
                raise ValueError(f"the energy is too far from this Gaussian: {reached}")
            bridge = Bridge(reference, prepared, beta)
            kernel, x = _adapt(rungs[-1].kernel, bridge, x, rng.fold_in(len(rungs)), first=len(rungs) == 1)
            rungs.append(_Rung(beta, kernel))
    return _divided(rungs, temperatures, moves)


def _next(beta: float, costs: Tensor) -> float:
    """The largest β of which the weights keep their share, by bisection."""
    least, most = 0.0, 1 - beta
    if _kept(costs, most) >= _SHARE:
        return 1.0
    for _ in range(60):
        middle = (least + most) / 2
        least, most = (middle, most) if _kept(costs, middle) >= _SHARE else (least, middle)
    return beta + most


def _kept(costs: Tensor, step: float) -> float:
    """The effective share of chains after a step of β."""
    log_weights = (-step * costs).nan_to_num(nan=-math.inf)
    return float(torch.exp(2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0))) / len(costs)


def _adapt(kernel: Sampler, bridge: Bridge, x: Tensor, rng: Rng, *, first: bool) -> tuple[Sampler, Tensor]:
    """Move the chains, each time with a step a little nearer to the acceptance that is wanted."""
    target = getattr(kernel, "target_acceptance", _TARGET)
    for turn in range(_FIRST if first else _LATER):
        samples = run_chain(kernel, bridge, x, steps=1, rng=rng.fold_in(turn))
        x, accepted = samples.x, samples.stats.get("acceptance")
        if accepted is not None and hasattr(kernel, "step_size"):
            kernel = _stepping(kernel, kernel.step_size * math.exp(float(accepted) - target))
    return kernel, x


def _divided(rungs: Sequence[_Rung], temperatures: int, moves: int) -> Ladder:
    """The way along the rungs in equal pieces; step sizes between two rungs by their logarithms."""
    places = [k * (len(rungs) - 1) / temperatures for k in range(temperatures + 1)]
    betas, kernels = [], []
    for place in places:
        below = min(int(place), len(rungs) - 2)
        (low, lower), (high, upper) = rungs[below : below + 2]
        share = place - below
        betas.append(low + share * (high - low))
        kernels.append(_between(upper if below == 0 else lower, upper, share))
    return Ladder((0.0, *betas[1:-1], 1.0), tuple(kernels[1:]), moves)


def _between(lower: Any, upper: Any, share: float) -> Sampler:
    if not hasattr(upper, "step_size"):
        return upper  # type: ignore[no-any-return]
    return _stepping(upper, lower.step_size ** (1 - share) * upper.step_size**share)


def _stepping(kernel: Any, size: float) -> Sampler:
    evolved: Sampler = attrs.evolve(kernel, step_size=size)
    return evolved


def _fixed(sampler: Any) -> Sampler:
    """Without an adaptation of its own: while a chain adapts it has no invariant law."""
    fixed: Sampler = attrs.evolve(sampler, adapt_steps=0) if hasattr(sampler, "adapt_steps") else sampler
    return fixed
