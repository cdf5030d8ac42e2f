"""The chain: the one loop in which every sampler runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, final

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core.energy import EnergyFn
from ebmkit.core.rng import Rng
from ebmkit.core.sampler import Info, Sampler, State

__all__ = ["Chain", "Samples", "run_chain", "walk"]


class Samples(NamedTuple):
    """Where the chains ended, and what happened on the way.

    Attributes:
        x: ``(B, *S)``, detached.
        stats: each entry of the sampler's Info, averaged over steps and chains: 0-dim, on the device.
    """

    x: Tensor
    stats: Mapping[str, Tensor]


@contextmanager
def evaluating(energy: EnergyFn) -> Iterator[None]:
    """Put a module into eval mode and give every submodule its own mode back.

    A chain needs rows that do not depend on each other and a kernel that does not change
    under it: dropout and batch statistics would break both.
    """
    modules = list(energy.modules()) if isinstance(energy, nn.Module) else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def walk(sampler: Sampler, energy: EnergyFn, x: Tensor, *, rng: Rng) -> Iterator[tuple[State, Info]]:
    """The chain as an endless iterator of (state, info), one item a step; take what you need.

    Step t draws from ``rng.fold("step", t)``, so a trajectory is the same however it is cut.

    Examples:
        >>> from itertools import islice
        >>> states = [state for state, _ in islice(walk(sampler, energy, x, rng=rng), 10)]  # doctest: +SKIP
    """
    state = sampler.init(energy, x.detach())
    step = 0
    while True:
        state, info = sampler.step(energy, state, rng.fold("step", step))
        yield state, info
        step += 1


def run_chain(sampler: Sampler, energy: EnergyFn, x: Tensor, *, steps: int, rng: Rng) -> Samples:
    """Move every row of ``x`` for ``steps`` steps of ``sampler`` under ``energy``.

    No graph is kept, the energy's parameters and their ``.grad`` are left alone, modules run in
    eval mode, ``x`` itself is not modified. With ``steps = 0`` the result is ``x``.

    Args:
        sampler: the kernel.
        energy: any callable ``(B, *S) -> (B,)``, nats.
        x: where the chains start, ``(B, *S)``.
        steps: moves, >= 0.
        rng: the noise; the same key gives the same bits.

    Raises:
        ValueError: steps < 0, or the energy has the wrong shape.
    """
    if steps < 0:
        raise ValueError(f"steps must be >= 0, got {steps}")
    x = x.detach()
    totals: dict[str, Tensor] = {}
    with torch.no_grad(), evaluating(energy):
        moves = walk(sampler, energy, x, rng=rng)
        for _ in range(steps):
            state, info = next(moves)
            x = state.x
            for name, value in info.items():
                mean = value.mean()
                totals[name] = totals[name] + mean if name in totals else mean
    return Samples(x.detach(), {name: total / steps for name, total in totals.items()})


@final
@attrs.frozen
class Chain:
    """A sampler and how many steps of it: what ``[revision]`` and ``[inference]`` describe.

    Schedules receive their samplers in this form and call them like a function.
    """

    sampler: Sampler
    steps: int = attrs.field(validator=attrs.validators.ge(0))

    def without_noise(self) -> Chain:
        """The same chain with its sampler's ``noise`` switched off.

        Raises:
            ValueError: the sampler has no parameter ``noise``.
        """
        sampler: Any = self.sampler
        if not hasattr(sampler, "noise"):
            raise ValueError(f"{type(sampler).__name__} has no parameter noise to switch off")
        return Chain(attrs.evolve(sampler, noise=False), self.steps)

    def __call__(self, energy: EnergyFn, x: Tensor, *, rng: Rng) -> Samples:
        """``run_chain`` with this chain's sampler and steps."""
        return run_chain(self.sampler, energy, x, steps=self.steps, rng=rng)
