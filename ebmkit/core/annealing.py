"""A chain that changes while iterations pass: less noise, other steps, more of them."""

from __future__ import annotations

from typing import Any, final

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core.chain import Chain
from ebmkit.parameters.records import Annealing, Ramp

__all__ = ["Annealer"]


@final
class Annealer(nn.Module):
    """Counts iterations and gives the chain as each of them runs it.

    The count is a buffer, so that it is saved, and a resumed run goes on at the same place of every ramp.
    Call ``of`` once an iteration.

    Args:
        chain: the revision, or another.
        annealing: factors by iteration; None for none.
        noise_until: iterations with noise; 0 means all.

    Attributes:
        done: iterations there were, 0-dim int64.

    Raises:
        ValueError: the sampler has no such parameter, a step size would fall to 0, or the chain runs as a
            graph, which every new value of a ramp would make anew.
    """

    done: Tensor

    def __init__(self, chain: Chain, annealing: Annealing | None = None, *, noise_until: int = 0) -> None:
        super().__init__()
        self.noise_until = noise_until
        self.annealing = annealing or Annealing()
        self.register_buffer("done", torch.zeros((), dtype=torch.int64))
        if noise_until:
            chain.without_noise()
        for name, ramp in self._ramps().items():
            _refuse(chain, name, ramp)

    def of(self, chain: Chain) -> Chain:
        """The chain as this iteration runs it; the same object where nothing changes it."""
        ramps = self._ramps()
        # Reading the count waits for the device, so it is read where something depends on it.
        iteration = int(self.done) if self.noise_until or ramps else 0
        self.done += 1
        if 0 < self.noise_until <= iteration:
            chain = chain.without_noise()
        return _scaled(chain, {name: ramp.at(iteration) for name, ramp in ramps.items()})

    def _ramps(self) -> dict[str, Ramp]:
        """By the parameter that each multiplies."""
        found = {name: getattr(self.annealing, name) for name in ("temperature", "step_size", "steps")}
        return {name: ramp for name, ramp in found.items() if ramp is not None}


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
