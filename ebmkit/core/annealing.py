"""A chain that changes while iterations pass: less noise, other steps, more of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, final

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core.chain import Chain
from ebmkit.core.renaming import before_loading
from ebmkit.parameters.records import Annealing, Ramp

__all__ = ["Annealer", "newly_annealed"]


@final
class Annealer(nn.Module):
    """Counts iterations and gives the chain as each of them runs it.

    The count is a buffer, so that it is saved, and a resumed run goes on at the same place of every ramp.
    Call ``of``, or ``each``, once per iteration; ``last``, or ``last_of_each``, gives the chain that training
    ended with, for samples.

    Args:
        chain: the revision, or another.
        annealing: factors by iteration; None for none.
        noise_until: iterations with noise; 0 means all.
        others: chains that are annealed together with it.

    Attributes:
        done: iterations there were, 0-dim int64.

    Raises:
        ValueError: the sampler has no such parameter, a step size would fall to 0, or the chain runs as a
            graph, which every new value of a ramp would make anew.
    """

    done: Tensor

    def __init__(
        self,
        chain: Chain,
        annealing: Annealing | None = None,
        *,
        noise_until: int = 0,
        others: Iterable[Chain] = (),
    ) -> None:
        super().__init__()
        self.noise_until = noise_until
        self.annealing = annealing or Annealing()
        self.register_buffer("done", torch.zeros((), dtype=torch.int64))
        for each in (chain, *others):
            if noise_until:
                each.without_noise()
            for name, ramp in self._ramps().items():
                _refuse(each, name, ramp)

    def of(self, chain: Chain) -> Chain:
        """The chain as this iteration runs it; the same object where nothing changes it."""
        return self.each({"": chain})[""]

    def each(self, chains: Mapping[str, Chain]) -> dict[str, Chain]:
        """Several chains as this one iteration runs them."""
        # Reading the count waits for the device, so it is read where something depends on it.
        iteration = int(self.done) if self._changes else 0
        self.done += 1
        return self._at(iteration, chains)

    def last(self, chain: Chain) -> Chain:
        """The chain as the last iteration ran it, and before any as the first one will: for samples."""
        return self.last_of_each({"": chain})[""]

    def last_of_each(self, chains: Mapping[str, Chain]) -> dict[str, Chain]:
        """Several chains as the last iteration ran them."""
        return self._at(max(0, int(self.done) - 1) if self._changes else 0, chains)

    @property
    def _changes(self) -> bool:
        return bool(self.noise_until or self._ramps())

    def _at(self, iteration: int, chains: Mapping[str, Chain]) -> dict[str, Chain]:
        """Several chains as an iteration, counted from 0, runs them."""
        quiet = 0 < self.noise_until <= iteration
        factors = {name: ramp.at(iteration) for name, ramp in self._ramps().items()}
        return {
            name: _scaled(chain.without_noise() if quiet else chain, factors)
            for name, chain in chains.items()
        }

    def _ramps(self) -> dict[str, Ramp]:
        """By the parameter that each multiplies."""
        found = {name: getattr(self.annealing, name) for name in ("temperature", "step_size", "steps")}
        return {name: ramp for name, ramp in found.items() if ramp is not None}


def newly_annealed(schedule: nn.Module) -> None:
    """Let a schedule load states of a release in which it had no ``annealing``: it counts from 0."""
    before_loading(schedule, _uncounted)


def _uncounted(state: dict[str, Any], prefix: str) -> None:
    state.setdefault(f"{prefix}annealing.done", torch.zeros((), dtype=torch.int64))


def _refuse(chain: Chain, name: str, ramp: Ramp) -> None:
    sampler = chain.sampler
    if name != "steps" and not hasattr(sampler, name):
        raise ValueError(f"{type(sampler).__name__} has no parameter {name} to anneal")
    if name == "step_size" and ramp.end == 0:
        raise ValueError("a step size cannot fall to 0: give the ramp of step_size an end above it")
    if chain.graph and ramp.over:
        raise ValueError(
            f"annealing {name} over {ramp.over} iterations would make a new graph in each of them: "
            "graph = false, or over = 0, which jumps"
        )


def _scaled(chain: Chain, factors: dict[str, float]) -> Chain:
    moving = {name: factor for name, factor in factors.items() if factor != 1}
    if (factor := moving.pop("steps", None)) is not None:
        chain = attrs.evolve(chain, steps=max(1, round(chain.steps * factor)))
    if not moving:
        return chain
    sampler: Any = chain.sampler
    values = {name: getattr(sampler, name) * factor for name, factor in moving.items()}
    return attrs.evolve(chain, sampler=attrs.evolve(sampler, **values))
