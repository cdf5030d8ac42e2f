r"""Annealing up and down, and what the weights of the chains say of log Z."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core.ais.ladder import Ladder
from ebmkit.core.ais.path import Bridge, Reference, excess, in_use
from ebmkit.core.chain import run_chain
from ebmkit.core.energy import EnergyFn
from ebmkit.core.gradient import Prepared, prepare
from ebmkit.core.rng import Rng
from ebmkit.core.watched import Average
from ebmkit.errors import DivergedError
from ebmkit.messages.brief import brief

__all__ = ["Annealed", "Estimate", "anneal_down", "anneal_up", "resampled"]


class Annealed(NamedTuple):
    """Where chains came to, and what they gathered on the way.

    Attributes:
        x: ``(B, *S)``; after ``anneal_up``, with its weights, draws from the energy's law.
        log_weights: ``(B,)`` float64.
        acceptance: mean over chains and moves; NaN for samplers that accept everything.
    """

    x: Tensor
    log_weights: Tensor
    acceptance: float

    def __repr__(self) -> str:
        return brief(self)


def anneal_up(
    energy: EnergyFn,
    reference: Reference,
    ladder: Ladder,
    chains: int,
    *,
    rng: Rng,
    dtype: torch.dtype = torch.float32,
) -> Annealed:
    r"""Chains from the Gaussian to the energy.

    $$\log w = -\sum_{k=1}^K (\beta_k - \beta_{k-1}) (E - E_0)(x_{k-1}), \qquad \mathrm{E}\, w = Z / Z_0$$

    with $x_0$ drawn from the Gaussian and $x_k$ from $x_{k-1}$ by the kernel of $\beta_k$. Memory does not
    grow with the ladder.

    Args:
        energy: E.
        reference: E₀.
        ladder: K steps of β.
        chains: B.
        rng: chain i draws as chain ``rng.first_chain`` + i; so batches may be of any size.
        dtype: of the states.

    Raises:
        DivergedError: the energy is not a number, or minus infinity, where a chain came by.
    """
    with in_use(energy):
        x = reference.draw(chains, rng=rng.fold_in("start"), dtype=dtype)
        way = _Way(prepare(energy, x), reference, ladder, rng)
        log_weights = x.new_zeros(chains, dtype=torch.float64)
        for k in range(1, len(ladder.betas)):
            log_weights -= way.cost(k, x)
            x = way.moved(k, x)
    return Annealed(x, log_weights, way.acceptance())


def anneal_down(energy: EnergyFn, reference: Reference, ladder: Ladder, x: Tensor, *, rng: Rng) -> Annealed:
    r"""Chains from the energy to the Gaussian: the same way backwards, which reversible kernels may go.

    $$\log w = \sum_{k=1}^K (\beta_k - \beta_{k-1}) (E - E_0)(x_{k-1}), \qquad \mathrm{E}\, w = Z_0 / Z$$

    with $x_K$ from the energy's law and $x_{k-1}$ from $x_k$ by the kernel of $\beta_k$. The expectation
    holds for exact draws; from others the result is as good as they are.

    Args:
        energy: E.
        reference: E₀.
        ladder: as on the way up.
        x: draws from the energy's law, ``(B, *S)``.
        rng: as on the way up.

    Raises:
        DivergedError: likewise.
    """
    with in_use(energy):
        x = x.detach()
        way = _Way(prepare(energy, x), reference, ladder, rng)
        log_weights = x.new_zeros(len(x), dtype=torch.float64)
        for k in range(len(ladder.betas) - 1, 0, -1):
            x = way.moved(k, x)
            log_weights += way.cost(k, x)
    return Annealed(x, log_weights, way.acceptance())


@final
class _Way:
    """The steps of a ladder, one by one."""

    def __init__(self, energy: Prepared, reference: Reference, ladder: Ladder, rng: Rng) -> None:
        self._energy, self._reference, self._ladder, self._rng = energy, reference, ladder, rng
        self._average = Average()

    def cost(self, k: int, x: Tensor) -> Tensor:
        """What β_k costs more than β_{k-1}, ``(B,)`` float64."""
        cost = excess(self._reference, self._energy, x)
        if lost := int((cost.isnan() | (cost == -math.inf)).sum()):
            raise DivergedError(f"the energy is not a number where {lost} of {len(x)} chains came by")
        return (self._ladder.betas[k] - self._ladder.betas[k - 1]) * cost

    def moved(self, k: int, x: Tensor) -> Tensor:
        """The chains after the moves of β_k."""
        bridge = Bridge(self._reference, self._energy, self._ladder.betas[k])
        kernel, moves = self._ladder.kernels[k - 1], self._ladder.moves
        samples = run_chain(kernel, bridge, x, steps=moves, rng=self._rng.fold_in("beta", k))
        self._average.add({name: each for name, each in samples.stats.items() if name == "acceptance"})
        return samples.x

    def acceptance(self) -> float:
        """Mean over chains and moves; NaN for samplers that tell none."""
        return float(self._average.result().get("acceptance", math.nan))


@final
@attrs.frozen
class Estimate:
    r"""What weights say of log Z.

    Attributes:
        log_z: of ``up`` weights $\log Z_0 + \log \bar w$, too small on average; of ``down`` weights
            $\log Z_0 - \log \bar w$, too large on average. Nats.
        error: standard error of ``log_z``, by the spread of the weights: $\sqrt{(B / ESS - 1) / (B - 1)}$. It
            says nothing of what no chain has seen.
        ess: effective number of chains, $(\sum w)^2 / \sum w^2$.
        chains: B.
    """

    log_z: float
    error: float
    ess: float
    chains: int

    @classmethod
    def of_up(cls, reference: Reference, log_weights: Iterable[Tensor]) -> Estimate:
        """From the weights of ``anneal_up``, of all batches.

        Raises:
            DivergedError: no chain has a weight.
        """
        return cls._of(torch.cat([*log_weights]), reference.log_z, 1)

    @classmethod
    def of_down(cls, reference: Reference, log_weights: Iterable[Tensor]) -> Estimate:
        """From the weights of ``anneal_down``, likewise.

        Raises:
            DivergedError: no chain has a weight.
        """
        return cls._of(torch.cat([*log_weights]), reference.log_z, -1)

    @classmethod
    def _of(cls, log_weights: Tensor, start: float, sign: int) -> Estimate:
        count = len(log_weights)
        total = float(log_weights.logsumexp(0))
        if not math.isfinite(total):
            raise DivergedError(
                f"of {count} annealed chains none has a weight: the energy is infinite for all"
            )
        ess = math.exp(2 * total - float((2 * log_weights).logsumexp(0)))
        error = math.sqrt(max(count / ess - 1, 0.0) / (count - 1)) if count > 1 else math.inf
        return cls(start + sign * (total - math.log(count)), error, ess, count)


def resampled(annealed: Annealed, count: int, *, rng: Rng) -> Tensor:
    """Draws from the energy's law, as far as the chains know it: each as often as it weighs, ``(count, *S)``.

    Systematic: one uniform number decides, and a chain of weight w is taken ``count`` w times, rounded up or
    down.
    """
    shares = annealed.log_weights.softmax(0).cumsum(0)
    luck = rng.of_chain(0).uniform(shares.new_empty(1))
    places = (torch.arange(count, device=shares.device) + luck) / count
    return annealed.x[torch.searchsorted(shares, places).clamp(max=len(shares) - 1)]
