"""Parallel tempering: hot chains carry cold ones between modes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, NamedTuple, final

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core import EnergyFn, Ge, Gt, Info, Rng, Sampler, brief
from ebmkit_mcmc.metropolis import Evaluated, accept, adjusted_langevin, evaluate

if TYPE_CHECKING:
    from ebmkit.testing import SamplerClaims

__all__ = ["ParallelTempering", "TemperingState"]

_PAIR = 2
"""So few replicas have one pair, which swaps at every step."""


class TemperingState(NamedTuple):
    """The cold chains, ``(B, *S)``, and the R - 1 hotter replicas of each, ``(B, R - 1, *S)``.

    Each with its energy at T = 1 and its gradient; ``parity`` says which pairs are next to be swapped.
    """

    x: Tensor
    energy: Tensor
    gradient: Tensor
    hot: Tensor
    hot_energy: Tensor
    hot_gradient: Tensor
    parity: Tensor

    def __repr__(self) -> str:
        return brief(self)


@final
@attrs.frozen(kw_only=True)
class ParallelTempering(Sampler):
    r"""Every chain has hotter replicas; neighbours in temperature swap places now and then.

    Replica r = 0 … R - 1 moves by MALA under $E / T_r$, with $T_r = T_{max}^{r / (R - 1)}$ and a step of
    $\delta \sqrt{T_r}$; then neighbours r, r + 1 swap with probability

    $$\min\Bigl(1, \exp\bigl[(1 / T_r - 1 / T_{r+1}) (E(x_r) - E(x_{r+1}))\bigr]\Bigr)$$

    Even and odd pairs take turns, which carries replicas up and down faster than pairs at random. The
    product of the laws is invariant, so the cold chain, r = 0, has the energy's own law, modes and their
    shares included. All replicas start where the chain starts: let the hot ones spread before you count.

    It watches ``acceptance`` of the cold chain, and ``swap``, the share of swaps made. Swaps get rare where
    energies vary much more than $1 / (1/T_r - 1/T_{r+1})$, as they do in many dimensions: take more replicas.

    Args:
        step_size: δ of the cold chain, in the units of x.
        replicas: R, gradients per step.
        temperature_max: of the hottest replica; high enough to cross between modes.

    Source: Swendsen and Wang, 1986; Geyer, 1991; Syed, Bouchard-Côté, Deligiannidis, Doucet,
    "Non-reversible parallel tempering", 2022, arXiv 1905.02939 (even and odd turns).
    """

    step_size: Annotated[float, Gt(0)] = 0.002
    replicas: Annotated[int, Ge(2)] = 5
    temperature_max: Annotated[float, Gt(1)] = 10.0

    def init(self, energy: EnergyFn, x: Tensor) -> TemperingState:
        """The start of a chain, all its replicas in one place."""
        here = evaluate(energy, x)
        parity = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        return TemperingState(*here, *_stacked([here] * (self.replicas - 1)), parity)

    def step(self, energy: EnergyFn, state: TemperingState, rng: Rng) -> tuple[TemperingState, Info]:
        """Move every replica, then swap every other pair: R gradients."""
        replicas = [Evaluated(*state[:3])]
        replicas += [Evaluated(*(each[:, r] for each in state[3:6])) for r in range(self.replicas - 1)]
        moves = [
            adjusted_langevin(
                energy,
                here,
                rng.fold_in("replica", r),
                size=self.step_size,
                temperature=self._temperature(r),
            )
            for r, here in enumerate(replicas)
        ]
        moved = _stacked([here for here, _, _ in moves])
        turn = self._turn(state.parity)
        swapped = turn & accept(self._swap_ratios(moved.energy), rng.fold_in("swap"))
        moved = _swap(moved, swapped)
        info = {"acceptance": moves[0][1].float(), "swap": swapped.sum(1) / turn.sum(1)}
        cold = Evaluated(*(each[:, 0].contiguous() for each in moved))
        hot = Evaluated(*(each[:, 1:] for each in moved))
        return TemperingState(*cold, *hot, state.parity + 1), info

    def _temperature(self, r: int) -> float:
        return float(self.temperature_max ** (r / (self.replicas - 1)))

    def _turn(self, parity: Tensor) -> Tensor:
        """Which pairs r, r + 1 may swap now, ``(B, R - 1)`` bool: no replica is in two of them."""
        pairs = torch.arange(self.replicas - 1, device=parity.device)
        return ((parity[:, None] + pairs) & 1 == 0) | (self.replicas == _PAIR)

    def _swap_ratios(self, energy: Tensor) -> Tensor:
        """The logarithms of the swaps' acceptance ratios, ``(B, R) -> (B, R - 1)`` float64."""
        ranks = torch.arange(self.replicas, dtype=torch.float64, device=energy.device)
        inverse = (-math.log(self.temperature_max) / (self.replicas - 1) * ranks).exp()
        return inverse.diff() * energy.double().diff(dim=1)

    @staticmethod
    def conformance() -> SamplerClaims:
        """What ``ebmkit plugins check samplers/parallel-tempering`` holds it to: exact, and across modes."""
        from ebmkit.testing import Exact, SamplerClaims

        return SamplerClaims(
            settings={"step_size": 0.9, "replicas": 3, "temperature_max": 9.0},
            law=Exact(),
            steps=70,
            warmup=10,
            gradients=lambda each: each.replicas,
            crosses_modes=True,
        )


def _stacked(replicas: list[Evaluated]) -> Evaluated:
    """Replicas side by side: ``(B, R, …)``."""
    return Evaluated(*(torch.stack(each, 1) for each in zip(*replicas, strict=True)))


def _swap(replicas: Evaluated, swapped: Tensor) -> Evaluated:
    """Replicas r and r + 1 of each chain change places where ``swapped[:, r]``."""
    count, pairs = swapped.shape
    right, left = nn.functional.pad(swapped, (0, 1)), nn.functional.pad(swapped, (1, 0))
    replica = torch.arange(count * (pairs + 1), device=swapped.device)
    source = replica + right.flatten().long() - left.flatten().long()
    return Evaluated(*(each.flatten(0, 1).index_select(0, source).view_as(each) for each in replicas))
