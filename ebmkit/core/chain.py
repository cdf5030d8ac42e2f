"""The chain: the one loop in which every sampler runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, final

import attrs
import torch
from torch import Tensor

from ebmkit.core.backends import fast_layers
from ebmkit.core.energy import EnergyFn
from ebmkit.core.gradient import Prepared, prepare
from ebmkit.core.graph import StrayedError, Stride, strides
from ebmkit.core.modes import evaluating
from ebmkit.core.rng import Rng
from ebmkit.core.sampler import Info, Sampler, State
from ebmkit.core.stopping import check_stop
from ebmkit.core.watched import Average
from ebmkit.messages.brief import brief

__all__ = ["Chain", "Samples", "run_chain", "walk"]


class Samples(NamedTuple):
    """Where the chains ended, and what happened on the way.

    Attributes:
        x: ``(B, *S)``, detached.
        stats: each entry of the sampler's Info, averaged over steps and chains: 0-dim, on the device.
        start_energy: E where the chains started, ``(B,)`` nats: it came with the first gradient. None where
            the sampler took no gradient there.
    """

    x: Tensor
    stats: Mapping[str, Tensor]
    start_energy: Tensor | None = None

    def __repr__(self) -> str:
        return brief(self)


def walk(
    sampler: Sampler, energy: EnergyFn, x: Tensor, *, rng: Rng, steps: int | None = None
) -> Iterator[tuple[State, Info]]:
    """The chain as an iterator of (state, info), one item a step.

    Step t draws from ``rng.fold_in("step", t)``, so a trajectory is the same however it is cut. The caller
    may change the energy between two steps: each step follows the energy as it is then. Items that were given
    cannot be taken back: where a fast gradient is found to have left autograd's (after steps 1, 2, 4, 8, ...
    and the last), a warning says so and the steps that follow are autograd's.

    Args:
        sampler: the kernel.
        energy: any callable ``(B, *S) -> (B,)``, nats.
        x: where the chains start, ``(B, *S)``.
        rng: the noise; the same key gives the same bits.
        steps: how many items, >= 0; None for no end: take what you need.

    Examples:
        >>> states = [state for state, _ in walk(sampler, energy, x, rng=rng, steps=10)]  # doctest: +SKIP
    """
    x = x.detach() if x.requires_grad else x
    prepared = energy if isinstance(energy, Prepared) else Prepared(energy, x, watched=True, gradients=steps)
    sampler = sampler if steps is None else sampler.for_chain(steps)
    for number, (state, info) in enumerate(_steps(sampler, prepared, x, rng=rng, steps=steps), 1):
        if number & (number - 1) == 0 or number == steps:
            prepared.strays(state.x)
        yield state, info
        prepared.renew()


def _steps(
    sampler: Sampler, energy: Prepared, x: Tensor, *, rng: Rng, steps: int | None
) -> Iterator[tuple[State, Info]]:
    """The chain, where nothing but the sampler runs between two steps."""
    if steps == 0:
        return  # without the gradient that some samplers take before their first step
    state = sampler.init(energy, x)
    for of_step in rng.steps("step", steps):
        check_stop()
        state, info = sampler.step(energy, state, of_step)
        yield state, info


def run_chain(
    sampler: Sampler, energy: EnergyFn, x: Tensor, *, steps: int, rng: Rng, graph: bool = False
) -> Samples:
    """Move every row of ``x`` for ``steps`` steps of ``sampler`` under ``energy``.

    No graph is kept, the energy's parameters and their ``.grad`` are left alone, modules run in
    eval mode, ``x`` itself is not modified. With ``steps = 0`` the result is ``x``. Where fast gradients were
    used, the last one is compared with autograd's; if it has become another one, a warning says so and the
    chain is run again by autograd: the same noise, and what the energy does beside its answer a second time.

    Args:
        sampler: the kernel.
        energy: any callable ``(B, *S) -> (B,)``, nats.
        x: where the chains start, ``(B, *S)``.
        steps: moves, >= 0.
        rng: the noise; the same key gives the same bits.
        graph: run strides of up to 20 steps as one graph, captured on a GPU, compiled on a CPU: the same
            noise, and the same moves to rounding. Making it may take a minute, once for each sampler, energy
            and shape. Where it cannot be made, chains walk as always and one warning says why.

    Raises:
        ValueError: steps < 0, no chain, chains of no number, or the energy has the wrong shape.
        Stopped: the run was told to stop, by a signal for instance; no step is begun after that.
    """
    if steps < 0:
        raise ValueError(f"steps must be >= 0, got {steps}")
    if x.ndim and not len(x):
        raise ValueError("no chain to run here: of several processes each needs one at least")
    if not x.numel() or not x.ndim:
        raise ValueError(f"chains start at (B, *S), one number each at least, not at {tuple(x.shape)}")
    x = x.detach()
    sampler = sampler.for_chain(steps)
    # Not autocast: what the precision of the block changes is the gradient, never the state.
    with torch.no_grad(), evaluating(energy), torch.autocast(x.device.type, enabled=False):
        if graph and steps and (leaps := strides(sampler, energy, x, steps=steps, rng=rng)) is not None:
            with suppress(StrayedError):
                return _striding(x, leaps)
        return _stepping(sampler, energy, x, steps=steps, rng=rng)


def _stepping(sampler: Sampler, energy: EnergyFn, start: Tensor, *, steps: int, rng: Rng) -> Samples:
    """Step by step; once more, with the same noise, if fast gradients were found wrong on the way."""
    average, x = Average(), start
    prepared = prepare(energy, start, gradients=steps)
    with fast_layers(energy):
        for state, info in _steps(sampler, prepared, start, rng=rng, steps=steps):
            x = state.x
            average.add(info)
    if prepared.strays(x):
        return _stepping(sampler, energy, start, steps=steps, rng=rng)
    return Samples(x.detach(), average.result(), prepared.start_energy)


def _striding(x: Tensor, leaps: Iterator[Stride]) -> Samples:
    """Where strides of equal length lead."""
    average, start_energy = Average(), None
    for number, leap in enumerate(leaps):
        x = leap.state.x
        average.add(leap.info)
        start_energy = leap.start_energy if number == 0 else start_energy
    return Samples(x, average.result(), start_energy)


@final
@attrs.frozen
class Chain:
    """A sampler and how many steps of it: what ``[revision]`` and ``[inference]`` describe.

    Schedules receive their samplers in this form and call them like a function.

    Args:
        sampler: the kernel.
        steps: moves, >= 0.
        graph: as for ``run_chain``.
    """

    sampler: Sampler
    steps: int = attrs.field(validator=attrs.validators.ge(0))
    graph: bool = False

    def without_noise(self) -> Chain:
        """The same chain with its sampler's ``noise`` switched off.

        Raises:
            ValueError: the sampler has no parameter ``noise``.
        """
        sampler: Any = self.sampler
        if not hasattr(sampler, "noise"):
            raise ValueError(f"{type(sampler).__name__} has no parameter noise to switch off")
        return attrs.evolve(self, sampler=attrs.evolve(sampler, noise=False))

    def walked(self, steps: int | None = None) -> Chain:
        """The same chain step by step, for a few examples: making a graph takes longer than they do.

        Args:
            steps: another number of them, >= 0; None keeps its own.
        """
        return attrs.evolve(self, steps=self.steps if steps is None else steps, graph=False)

    def __call__(self, energy: EnergyFn, x: Tensor, *, rng: Rng) -> Samples:
        """``run_chain`` with what this chain holds."""
        return run_chain(self.sampler, energy, x, steps=self.steps, rng=rng, graph=self.graph)
