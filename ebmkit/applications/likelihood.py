"""The likelihood of held-out examples under an energy, between two bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

import attrs
import torch
from torch import Tensor

from ebmkit.core import Energy, Rng, Sampler, run_chain
from ebmkit.core.ais import (
    Annealed,
    Estimate,
    Ladder,
    Reference,
    anneal_down,
    anneal_up,
    find_ladder,
    resampled,
)
from ebmkit.core.ais.path import in_use
from ebmkit.errors import ConfigError, InconclusiveError
from ebmkit.messages.brief import brief

__all__ = ["Bracket", "Likelihood", "log_likelihood", "measure_likelihood"]

_CHUNK = 64
_ERRORS = 2.0
"""Standard errors by which the bracket is wider than its estimates."""

_NATS = 0.5
"""A bracket of this width tells enough, however near to 0 the figure is."""


@final
@attrs.frozen
class Bracket:
    """A figure between two bounds, nats."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """How far apart they are."""
        return self.high - self.low


@final
@attrs.frozen
class Likelihood:
    r"""What annealing up and down says of $\log p(x) = -E(x) - \log Z$.

    Attributes:
        log_z: from the least to the largest of the estimates, two standard errors of each added.
        log_p: mean over the examples, nats per example: -E - log Z. It is the log of a density: in other
            units of x it is another number.
        spread: standard error of the mean of -E over the examples; no part of the bracket.
        up: of chains from the Gaussian.
        down: of chains to the Gaussian, by where they began: ``chains``, where those of ``up`` ended, and
            ``examples``, the held-out ones.
        acceptance: of the sampler on the way up; NaN where it tells none.
        examples: how many.
        temperatures: steps of the ladder.
    """

    log_z: Bracket
    log_p: Bracket
    spread: float
    up: Estimate
    down: Mapping[str, Estimate]
    acceptance: float
    examples: int
    temperatures: int

    def __repr__(self) -> str:
        return brief(self)

    def doubt(self, share: float) -> str | None:
        """Why the figure cannot be reported, if so: the bracket is too wide.

        Args:
            share: of the size of the figure, such as 0.05; 0.5 nats are never too wide.
        """
        middle = (self.log_p.low + self.log_p.high) / 2
        if self.log_p.width <= max(share * abs(middle), _NATS):
            return None
        ways = {"up": self.up, **{f"down from the {name}": each for name, each in self.down.items()}}
        found = ", ".join(f"{name} {each.log_z:.6g} ± {each.error:.2g}" for name, each in ways.items())
        return (
            f"log p(x) lies between {self.log_p.low:.6g} and {self.log_p.high:.6g} nats, and a bracket of "
            f"{self.log_p.width:.3g} is more than {share:.0%} of it (log Z: {found}): take more temperatures "
            f"than {self.temperatures}, or more moves. Where the ways do not come together even so, chains "
            "do not reach all that the energy holds likely, and its likelihood cannot be told"
        )


def log_likelihood(
    energy: Energy, x: Tensor, *, sampler: Sampler, rng: Rng, share: float = 0.05, **settings: int
) -> Likelihood:
    """The mean log-likelihood of examples, where it can be reported.

    Args:
        energy: in the state in which it is used.
        x: held-out examples, ``(n, *S)``.
        sampler: as for ``measure_likelihood``.
        rng: likewise.
        share: how wide the bracket may be, as a share of the figure; 0.5 nats are always enough.
        settings: ``temperatures``, ``moves``, ``chains``, ``settle`` as for ``measure_likelihood``.

    Raises:
        InconclusiveError: the bracket is wider.
        ConfigError: as ``measure_likelihood``.
        DivergedError: likewise.
    """
    found = measure_likelihood(energy, x, sampler=sampler, rng=rng, **settings)
    if (doubt := found.doubt(share)) is not None:
        raise InconclusiveError(doubt)
    return found


def measure_likelihood(
    energy: Energy,
    x: Tensor,
    *,
    sampler: Sampler,
    rng: Rng,
    temperatures: int = 1000,
    moves: int = 1,
    chains: int = 64,
    settle: int = 100,
) -> Likelihood:
    """A bracket of the log-likelihood, however wide.

    Chains climb from a Gaussian, the one that the energy tilts or else one fitted to the examples, and come
    down again by the same temperatures: half of them from where the others ended, half from held-out
    examples. Annealed chains may miss a mode on the way up and cannot know it; the examples are
    where the model should be, and show it.

    Args:
        energy: E.
        x: held-out examples, ``(n, *S)``, two at least.
        sampler: a Metropolis sampler, ``hmc`` or ``mala``: it has to leave the law of every energy between as
            it is, and be reversible. A ``step_size`` is adapted at each temperature beforehand.
        rng: of everything; equal keys give equal figures.
        temperatures: K, steps from the Gaussian to the energy.
        moves: of each chain at each temperature.
        chains: on the way up, and on the way down together; even, 4 at least.
        settle: moves under the energy itself before the way down.

    Raises:
        ConfigError: too few examples or chains, or the energy is out of reach of the Gaussian.
        DivergedError: the energy is not finite where chains came by.
    """
    if len(x) < 2 or chains < 4 or chains % 2:  # noqa: PLR2004
        raise ConfigError(
            f"annealing takes 2 held-out examples and 4 chains at least, an even number, "
            f"not {len(x)} and {chains}"
        )
    try:
        reference = Reference.of(energy, x[0]) or Reference.fitted(x)
        ladder = find_ladder(
            energy,
            reference,
            sampler,
            temperatures=temperatures,
            moves=moves,
            rng=rng.fold_in("pilot"),
            dtype=x.dtype,
        )
    except ValueError as error:
        raise ConfigError(f"the likelihood cannot be annealed: {error}") from None
    course = _Course(energy, reference, ladder, settle, rng)
    up = course.up(chains, x.dtype)
    starts = {
        "chains": resampled(up, chains // 2, rng=rng.fold_in("resample")),
        "examples": x[torch.arange(chains // 2) % len(x)],
    }
    down = {name: course.down(name, start) for name, start in starts.items()}
    return _concluded(
        Estimate.of_up(reference, [up.log_weights]), down, course.energies(x), up.acceptance, ladder
    )


@final
@attrs.frozen
class _Course:
    """What all chains of a measurement share; they run in batches, which draw what one batch would."""

    energy: Energy
    reference: Reference
    ladder: Ladder
    settle: int
    rng: Rng

    def up(self, chains: int, dtype: torch.dtype) -> Annealed:
        rng = self.rng.fold_in("up")
        parts = [
            anneal_up(
                self.energy,
                self.reference,
                self.ladder,
                min(_CHUNK, chains - first),
                rng=rng.of_chain(first),
                dtype=dtype,
            )
            for first in range(0, chains, _CHUNK)
        ]
        acceptance = sum(part.acceptance * len(part.x) for part in parts) / chains
        return Annealed(
            torch.cat([part.x for part in parts]), torch.cat([part.log_weights for part in parts]), acceptance
        )

    def down(self, name: str, starts: Tensor) -> Estimate:
        rng = self.rng.fold_in("down", name)
        weights = []
        for first in range(0, len(starts), _CHUNK):
            of_chain = rng.of_chain(first)
            x = starts[first : first + _CHUNK]
            x = run_chain(
                self.ladder.kernels[-1], self.energy, x, steps=self.settle, rng=of_chain.fold_in("settle")
            ).x
            weights.append(anneal_down(self.energy, self.reference, self.ladder, x, rng=of_chain).log_weights)
        return Estimate.of_down(self.reference, weights)

    def energies(self, x: Tensor) -> Tensor:
        """E of each example, ``(n,)`` float64."""
        with in_use(self.energy):
            return torch.cat([self.energy(part).double() for part in torch.split(x, _CHUNK)])


def _concluded(
    up: Estimate, down: Mapping[str, Estimate], energies: Tensor, acceptance: float, ladder: Ladder
) -> Likelihood:
    estimates = [up, *down.values()]
    low = min(each.log_z - _ERRORS * each.error for each in estimates)
    high = max(each.log_z + _ERRORS * each.error for each in estimates)
    mean = float(energies.mean())
    return Likelihood(
        log_z=Bracket(low, high),
        log_p=Bracket(-mean - high, -mean - low),
        spread=float(energies.std()) / math.sqrt(len(energies)),
        up=up,
        down=down,
        acceptance=acceptance,
        examples=len(energies),
        temperatures=len(ladder.kernels),
    )
