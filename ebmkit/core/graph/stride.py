"""K steps of a sampler as one function of tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, final

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core.energy import EnergyFn
from ebmkit.core.gradient import Prepared
from ebmkit.core.graph.alignment import aligned
from ebmkit.core.graph.description import tensors
from ebmkit.core.graph.noise import DrawnRng, KeyedRng, NotedRng, draw_numbers, draw_words
from ebmkit.core.rng import Draw, Rng
from ebmkit.core.sampler import Info, Sampler, State

__all__ = ["Evaluation", "Form", "Stride", "Strides", "plain", "stride_length"]

_LONGEST = 20

_AHEAD = 2**16
"""Random numbers up to which strides are drawn together: where each draws few, the calls take longer."""


class Evaluation(NamedTuple):
    """What the energy was found to be somewhere on the way.

    Attributes:
        x: where, ``(B, *S)``.
        value: E(x), ``(B,)`` nats.
        gradient: of E there, ``(B, *S)``; None where none was taken.
    """

    x: Tensor
    value: Tensor
    gradient: Tensor | None = None


@final
@attrs.frozen
class Stride:
    """K steps of a chain.

    Attributes:
        state: after them.
        info: what the sampler watched, averaged over them, 0-dim.
        start_energy: E before the first, ``(B,)``; None where the sampler took no gradient there.
        evaluation: the last one that took a gradient, or else the last; None where there was none.
    """

    state: State
    info: Info
    start_energy: Tensor | None
    evaluation: Evaluation | None


def stride_length(steps: int) -> int:
    """K: the longest stride of at most 20 steps that divides ``steps``.

    Examples:
        >>> [stride_length(steps) for steps in (1, 10, 60, 64)]
        [1, 10, 20, 16]
    """
    return next(length for length in range(min(steps, _LONGEST), 0, -1) if steps % length == 0)


def plain(energy: EnergyFn) -> EnergyFn:
    """The energy as a function that no plugin knows a faster gradient of."""

    def evaluate(x: Tensor) -> Tensor:
        return energy(x)

    return evaluate


@final
@attrs.frozen
class Form:
    """What the inputs and outputs of K steps are.

    Attributes:
        steps: K.
        state: the named tuple.
        weights: names of parameters and buffers.
        draws: of random numbers in each step.
        names: of what the sampler watches.
        evaluation: how many tensors its last evaluation has, 0 where there is none.
        inside: whether random numbers are drawn inside, from keys, or given.
    """

    steps: int
    state: type[Any]
    weights: tuple[str, ...]
    draws: tuple[Draw, ...]
    names: tuple[str, ...]
    evaluation: int
    inside: bool

    @classmethod
    def found(cls, sampler: Sampler, energy: nn.Module, state: Any, *, steps: int, inside: bool) -> Form:
        """By making one step."""
        noted, watched = NotedRng(Rng(0)), _Watched(energy)
        _, info = sampler.step(Prepared(watched, state.x), state, noted)
        names = tuple(name for name, _ in tensors(energy))
        found = len(watched.tensors())
        return cls(steps, type(state), names, tuple(noted.draws), tuple(info), found, inside)

    def random(self, rng: Rng, steps: int, device: torch.device) -> Iterator[tuple[Tensor, ...]]:
        """What is random in each stride: words, ``(K, draws)``, or the numbers of each draw, ``(K, …)``."""
        a_step = len(self.draws) if self.inside else sum(draw.like.numel() for draw in self.draws)
        ahead = self.steps * max(_AHEAD // max(self.steps * a_step, 1), 1)
        for begin in range(0, steps, ahead):
            drawn_for = range(begin, min(begin + ahead, steps))
            words = draw_words(rng, "step", drawn_for, self.draws)
            drawn = [words.to(device)] if self.inside else draw_numbers(words, self.draws)
            for first in range(0, len(drawn_for), self.steps):
                yield tuple(each[first : first + self.steps] for each in drawn)

    def streams(self, random: tuple[Tensor, ...]) -> list[Rng]:
        """The streams of the K steps."""
        if self.inside:
            return [KeyedRng(words) for words in random[0].unbind()]
        return [DrawnRng([numbers[step] for numbers in random]) for step in range(self.steps)]

    def inputs(self, tensors: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], Any, dict[str, Tensor]]:
        """What of the inputs is random, the state, and the weights by name."""
        begin = 1 if self.inside else len(self.draws)
        end = begin + len(self.state._fields)
        weights = dict(zip(self.weights, tensors[end:], strict=True))
        return tensors[:begin], self.state(*tensors[begin:end]), weights

    def outputs(self, tensors: tuple[Tensor, ...]) -> Stride:
        """What the results of a call are."""
        fields = len(self.state._fields)
        state, means, found = tensors[:fields], tensors[fields], tensors[fields + 1 :]
        info = dict(zip(self.names, means.unbind(), strict=True))
        evaluation = Evaluation(*found[: self.evaluation]) if self.evaluation else None
        energies = found[self.evaluation :]
        return Stride(self.state(*state), info, energies[0] if energies else None, evaluation)


@final
class Strides:
    """K steps of a sampler under an energy as a function of tensors alone.

    Args:
        sampler: the kernel.
        energy: a module; its parameters and buffers become inputs.
        form: of inputs and outputs.
    """

    def __init__(self, sampler: Sampler, energy: nn.Module, form: Form) -> None:
        self.sampler, self.energy, self.form = sampler, energy, form

    def with_aligned_weights(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Inputs of a call for the same outputs, but for rounding; see ``aligned``."""
        _, state, weights = self.form.inputs(inputs)
        grown = aligned(self.energy, state.x, weights)
        return (*inputs[: -len(grown)], *grown.values()) if grown else inputs

    def under(self, inputs: tuple[Tensor, ...]) -> EnergyFn:
        """The energy with the weights among the inputs."""
        return _Watched(self.energy, self.form.inputs(inputs)[2])

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The state, means of the info ``(names,)``, the last evaluation, and E at the start if known."""
        random, state, weights = self.form.inputs(tensors)
        watched = _Watched(self.energy, weights)
        energy = Prepared(watched, state.x)
        figures = []
        for of_step in self.form.streams(random):
            state, info = self.sampler.step(energy, state, of_step)
            means = [info[name].float().mean() for name in self.form.names]
            figures.append(torch.stack(means) if means else state.x.new_empty(0))
        energies = () if energy.start_energy is None else (energy.start_energy,)
        return (*state, torch.stack(figures).mean(0), *watched.tensors(), *energies)


@final
class _Watched:
    """An energy with some weights, as a function for autograd that remembers where it was asked last.

    Args:
        energy: a module.
        weights: in place of its own, by name.
    """

    def __init__(self, energy: nn.Module, weights: dict[str, Tensor] | None = None) -> None:
        self._energy, self._weights = energy, weights or {}
        self._evaluation: Evaluation | None = None

    def __call__(self, x: Tensor) -> Tensor:
        value: Tensor = torch.func.functional_call(self._energy, self._weights, (x,))
        evaluation = Evaluation(x.detach(), value.detach())
        if self._evaluation is None or self._evaluation.gradient is None:
            self._evaluation = evaluation
        if x.requires_grad:
            noting = lambda gradient: self._note(evaluation._replace(gradient=gradient.detach()))  # noqa: E731
            x.register_hook(noting)  # type: ignore[no-untyped-call]
        return value

    def _note(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation

    def tensors(self) -> tuple[Tensor, ...]:
        """Of the last evaluation that took a gradient, or else of the last."""
        return () if self._evaluation is None else tuple(x for x in self._evaluation if x is not None)
