"""The kit of a case with ebmkit: the subject."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice

from torch import Tensor, nn

from ebmkit.core import Chain, Rng, fast_layers, prepare, value_and_gradient, walk
from ebmkit_langevin.langevin import Langevin
from tests.hostile.kit import Energy, Kit, at_once, moved


class FastKit(Kit):
    """Asks ebmkit for what ``Kit`` computes with autograd alone."""

    def threads(self, *jobs: Callable[[], object]) -> None:
        """At the same time, really."""
        at_once(jobs)

    def fast(self, module: nn.Module) -> AbstractContextManager[object]:
        """As trainings do."""
        return fast_layers(module)

    def _gradient(self, energy: Energy, x: Tensor) -> dict[str, Tensor]:
        found = value_and_gradient(prepare(energy, x), x)
        return {"energy": found.value, "gradient": found.gradient}

    def _prepared(
        self, energy: Energy, states: list[Tensor], between: Callable[[int], object]
    ) -> dict[str, Tensor]:
        ready, found = prepare(energy, states[0]), {}
        for number, x in enumerate(states):
            result = value_and_gradient(ready, x)
            found[f"energy {number}"], found[f"gradient {number}"] = result
            between(number)
        return found

    def _chain(
        self,
        name: str,
        energy: Energy,
        x: Tensor,
        *,
        steps: int = 2,
        step_size: float = 1.0,
        noise: bool = False,
        graph: bool = False,
    ) -> dict[str, Tensor]:
        key = zlib.crc32(name.encode())
        chain = Chain(Langevin(step_size=step_size, noise=noise), steps, graph)
        samples = chain(energy, x, rng=Rng(key))
        streams = islice(Rng(key).steps("step"), steps) if noise else ()
        self.noises[name] = [stream.normal(x.detach()) for stream in streams]
        assert samples.start_energy is not None
        move = moved(samples.x, x.detach(), self.noises[name], step_size)
        return {"start energy": samples.start_energy, "move": move}

    def _walk(
        self, energy: Energy, x: Tensor, *, steps: int, between: Callable[[int], object]
    ) -> dict[str, Tensor]:
        sampler, before, moves = Langevin(step_size=1.0, noise=False), x.detach(), {}
        for step, (state, _) in enumerate(islice(walk(sampler, energy, x, rng=Rng(0)), steps)):
            moves[f"move {step}"], before = moved(state.x, before, [], 1.0), state.x
            between(step)
        return moves
