"""Long chains under a trained energy: have they mixed, and what are their draws worth?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import attrs
import torch
from torch import Tensor

from ebmkit.core import (
    Energy,
    Info,
    Rng,
    Sampler,
    State,
    as_rows,
    bulk_ess,
    r_hat,
    reference_std,
    std_of_coordinates,
    tail_ess,
    value_and_gradient,
    walk,
)
from ebmkit.core.rows import coordinate_of
from ebmkit.errors import ConfigError
from ebmkit.messages.brief import brief

__all__ = ["Diagnosis", "Figure", "diagnose"]

_PROJECTIONS = 4
_MIXED = 1.01
_ENOUGH = 400
_REFUSING, _CREEPING = 0.2, 0.98
_DRIFTING = 5.0
"""Standard errors between the two halves of the energy's trace from which it has not settled."""


@attrs.frozen
class Figure:
    """One number of every draw, over chains and draws.

    Attributes:
        name: ``energy`` (nats), ``mean pixel`` (of what are no images ``mean coordinate``) or
            ``projection k`` on a random direction of length 1 (both in the units of x).
        mean: over all draws.
        std: over all draws.
        r_hat: rank-normalised split R-hat.
        bulk_ess: effective draws for the centre.
        tail_ess: effective draws for the 5 % and 95 % quantiles.
    """

    name: str
    mean: float
    std: float
    r_hat: float
    bulk_ess: float
    tail_ess: float


@attrs.frozen
class Diagnosis:
    """What long chains showed.

    Attributes:
        chains: how many.
        warmup: steps of each before the draws.
        draws: of each chain, every ``thin`` steps one.
        thin: steps between draws.
        lost: chains that stopped being finite; they are left out of the figures.
        figures: of the draws.
        stats: what the sampler watched, averaged over the draws and chains: ``acceptance``, …
        energy_trace: mean over chains every ``thin`` steps, from the first step of the warm-up, nats.
        residual: mean of s² |∇E| / |x| where the last draws are, s the energy's reference: 0 where the
            descriptor reproduces its example; None for an energy without reference.
        advice: sentences for people; empty when nothing is amiss.
    """

    chains: int
    warmup: int
    draws: int
    thin: int
    lost: int
    figures: tuple[Figure, ...]
    stats: Mapping[str, float]
    energy_trace: tuple[float, ...]
    residual: float | None
    advice: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return brief(self)


def diagnose(
    energy: Energy, sampler: Sampler, x: Tensor, *, warmup: int, steps: int, thin: int, rng: Rng
) -> Diagnosis:
    """Run ``warmup`` + ``steps`` steps of every chain and look at the draws after the warm-up.

    Args:
        energy: in eval mode.
        sampler: of x.
        x: where the chains start, ``(chains, *S)``; the farther apart, the more R-hat can notice.
        warmup: steps that are thrown away; a sampler that adapts or cools must be done by then.
        steps: after it.
        thin: steps between draws.
        rng: of the chains and the projections.

    Raises:
        ConfigError: fewer than 2 chains or 8 draws.
    """
    if len(x) < 2 or steps // thin < 8:  # noqa: PLR2004 - what R-hat needs
        drawn = f"{len(x)} chains of {steps // thin} draws (steps / thin)"
        raise ConfigError(f"{drawn} are too few to compare: take at least 2 chains of 8 draws")
    rows: list[Tensor] = []
    stats: dict[str, list[Tensor]] = {}
    watched = _Watched(energy, x, rng.fold_in("projections"))
    skipped = warmup // thin
    for step, (state, info) in enumerate(_chain(sampler, energy, x, warmup + steps, rng), start=1):
        x = state.x
        if step > warmup - skipped * thin and (warmup - step) % thin == 0:
            rows.append(watched(state))
        if step > warmup:
            for name, value in info.items():
                stats.setdefault(name, []).append(value.double().mean())
    traces = torch.stack(rows, 1).cpu()
    finite = traces.isfinite().all(2).all(1)
    kept = traces[finite][:, skipped:] if finite.sum() > 1 else traces[:, skipped:].nan_to_num()
    diagnosis = Diagnosis(
        chains=len(x),
        warmup=warmup,
        draws=kept.shape[1],
        thin=thin,
        lost=int((~finite).sum()),
        figures=tuple(_figure(name, kept[..., k]) for k, name in enumerate(watched.names)),
        stats={name: float(torch.stack(values).mean()) for name, values in stats.items()},
        energy_trace=tuple(traces[finite][..., 0].mean(0).tolist()),
        residual=_residual(energy, x[finite.to(x.device)]),
    )
    return attrs.evolve(diagnosis, advice=tuple(_advise(diagnosis, kept[..., 0])))


def _chain(sampler: Sampler, energy: Energy, x: Tensor, steps: int, rng: Rng) -> Iterator[tuple[State, Info]]:
    with torch.no_grad():
        moves = walk(sampler, energy, x, rng=rng.fold_in("chains"))
        for _ in range(steps):
            yield next(moves)


class _Watched:
    """The numbers of each draw: energy, mean coordinate, projections on random directions."""

    def __init__(self, energy: Energy, x: Tensor, rng: Rng) -> None:
        self._energy = energy
        directions = rng.normal(x.new_empty(_PROJECTIONS, x[0].numel(), dtype=torch.float64))
        projections = _PROJECTIONS if x[0].numel() > 1 else 0  # of one number they are that number again
        self._directions = (directions / directions.norm(dim=1, keepdim=True))[:projections]
        self.names = (
            "energy",
            f"mean {coordinate_of(x)}",
            *(f"projection {k + 1}" for k in range(projections)),
        )

    def __call__(self, state: State) -> Tensor:
        """``(chains, numbers)`` float64."""
        rows = as_rows(state.x).double()
        cached = getattr(state, "energy", None)
        with torch.no_grad():
            energies = self._energy(state.x) if cached is None else cached
        return torch.cat([energies.double()[:, None], rows.mean(1)[:, None], rows @ self._directions.T], 1)


def _figure(name: str, draws: Tensor) -> Figure:
    """One line of the table from draws ``(chains, draws)``."""
    mean, std = float(draws.mean()), float(draws.std())
    return Figure(name, mean, std, r_hat(draws), bulk_ess(draws), tail_ess(draws))


def _residual(energy: Energy, x: Tensor) -> float | None:
    reference = reference_std(energy)
    if reference is None or not len(x):
        return None
    pull = std_of_coordinates(reference, x[0]) ** 2 * value_and_gradient(energy, x).gradient.double()
    return float((as_rows(pull).norm(dim=1) / as_rows(x).double().norm(dim=1)).mean())


def _advise(diagnosis: Diagnosis, energies: Tensor) -> Iterator[str]:
    """What a person should do about it."""
    if diagnosis.lost:
        yield (
            f"{diagnosis.lost} of {diagnosis.chains} chains stopped being finite: a smaller step_size, "
            "or a sampler that refuses such moves"
        )
    worst = max(diagnosis.figures, key=lambda each: (math.isnan(each.r_hat), each.r_hat))
    if not worst.r_hat <= _MIXED:
        yield (
            f"R-hat {worst.r_hat:.2f} > {_MIXED} ({worst.name}): the chains have not mixed; "
            "their draws are not yet the energy's law"
        )
    fewest = min(diagnosis.figures, key=lambda each: min(each.bulk_ess, each.tail_ess))
    least = min(fewest.bulk_ess, fewest.tail_ess)
    if least < _ENOUGH:
        yield (
            f"effective sample size {least:.0f} < {_ENOUGH} ({fewest.name}): means and R-hat itself are "
            "uncertain; take more --steps or --chains"
        )
    before, after = energies.tensor_split(2, dim=1)
    moved = after.mean(1) - before.mean(1)
    if abs(moved.mean()) > _DRIFTING * moved.std() / math.sqrt(len(moved)):
        way = "rises" if moved.mean() > 0 else "falls"
        yield f"the energy still {way}, by {abs(moved.mean()):.3g} nats between the halves: more --warmup"
    acceptance = diagnosis.stats.get("acceptance")
    if acceptance is not None and acceptance < _REFUSING:
        yield f"acceptance {acceptance:.2f}: most moves are refused; a smaller step_size"
    if acceptance is not None and acceptance > _CREEPING:
        yield f"acceptance {acceptance:.2f}: nearly every move is accepted; a larger step_size moves faster"
