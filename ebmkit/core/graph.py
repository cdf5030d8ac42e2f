r"""Several steps of a chain as one graph: no Python between them.

On a small energy a step is a few dozen calls that each take longer than their arithmetic; on a GPU also on
larger ones. A graph of K steps is made once, compiled on a CPU and captured on a GPU (a CUDA graph), and
then run for every K steps. Everything that may differ between two runs is an input of it: the state, the
weights, and the keys of the random numbers, which a GPU draws inside; on a CPU the numbers themselves,
because the hash of their keys, compiled by torch 2.13, ends the process. Another sampler, shape, precision,
or an attribute of the energy that was set anew, makes another graph; a list or dictionary that an energy
changes within itself goes unnoticed.

Where no graph can be made, chains walk step by step as always, and one warning says why.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from itertools import chain
from typing import Any, final

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core.alignment import aligned
from ebmkit.core.compiling import Function, compiled
from ebmkit.core.energy import EnergyFn
from ebmkit.core.gradient import Prepared
from ebmkit.core.precision import current_precision
from ebmkit.core.rng import DrawnRng, KeyedRng, NotedRng, Rng, draw_numbers, draw_words
from ebmkit.core.sampler import Info, Sampler, State
from ebmkit.core.stopping import check_stop

__all__ = ["Stride", "Strides", "forget", "kept", "stride_length", "strides"]

_LONGEST = 20
_KEPT = 8

_AHEAD = 2**16
"""Random numbers up to which strides are drawn together: where each draws few, the calls take longer."""

_TOLERANCE = {"fp32": 1e-3, "mixed": 5e-2, "bf16": 5e-2}

_MODULE = frozenset(vars(nn.Module()))
"""What torch keeps in every module."""


@final
@attrs.frozen
class Stride:
    """K steps of a chain.

    Attributes:
        state: after them.
        info: what the sampler watched, averaged over them, 0-dim.
        start_energy: E before the first, ``(B,)``; None where the sampler took no gradient there.
    """

    state: State
    info: Info
    start_energy: Tensor | None


def stride_length(steps: int) -> int:
    """K: the longest stride of at most 20 steps that divides ``steps``.

    Examples:
        >>> [stride_length(steps) for steps in (1, 10, 60, 64)]
        [1, 10, 20, 16]
    """
    return next(length for length in range(min(steps, _LONGEST), 0, -1) if steps % length == 0)


def strides(
    sampler: Sampler, energy: EnergyFn, x: Tensor, *, steps: int, rng: Rng
) -> Iterator[Stride] | None:
    """The chain of ``walk`` in strides; None, after a warning, where it cannot be a graph.

    Args:
        sampler: the kernel.
        energy: an ``nn.Module`` in the mode in which the chain evaluates it.
        x: where the chains start, ``(B, *S)``, detached.
        steps: > 0.
        rng: the noise, as for ``walk``.
    """
    start = Prepared(_plain(energy), x)
    state = sampler.init(start, x)
    try:
        settings = (current_precision(), stride_length(steps), torch.get_num_threads())
        name = (sampler, _described(energy), _kinds(state), *settings)
        if name not in _graphs:
            _keep(name, _make(sampler, energy, state, stride_length(steps), rng))
        graph = _graphs[name]
    except Exception as error:  # noqa: BLE001 - whatever it is, the chain can be walked
        _warn(f"chains of {type(sampler).__name__} walk step by step: {_first_line(error)}")
        return None
    if graph is None:
        return None
    return _follow(graph, energy, state, steps=steps, rng=rng, start_energy=start.start_energy)


@final
class Strides:
    """K steps of a sampler under an energy as a function of tensors alone.

    Args:
        sampler: the kernel.
        energy: a module; its parameters and buffers become inputs.
        state: of the chain: its kinds of tensors.
        steps: K.
        rng: any; which draws a step makes is found out by making one.
        inside: whether random numbers are drawn inside, from keys, or given.
    """

    def __init__(
        self, sampler: Sampler, energy: nn.Module, state: State, *, steps: int, rng: Rng, inside: bool
    ) -> None:
        self.sampler, self.energy, self.steps, self._inside = sampler, energy, steps, inside
        self._state: type[Any] = type(state)
        self._weights = tuple(name for name, _ in _tensors(energy))
        noted = NotedRng(rng)
        _, info = sampler.step(Prepared(_plain(energy), state.x), state, noted)
        self._draws, self._names = noted.draws, tuple(info)

    def random(self, rng: Rng, steps: int, device: torch.device) -> Iterator[tuple[Tensor, ...]]:
        """What is random in each stride: words, ``(K, draws)``, or the numbers of each draw, ``(K, …)``."""
        a_step = len(self._draws) if self._inside else sum(draw.like.numel() for draw in self._draws)
        ahead = self.steps * max(_AHEAD // max(self.steps * a_step, 1), 1)
        for begin in range(0, steps, ahead):
            drawn_for = range(begin, min(begin + ahead, steps))
            words = draw_words(rng, "step", drawn_for, self._draws)
            drawn = [words.to(device)] if self._inside else draw_numbers(words, self._draws)
            for first in range(0, len(drawn_for), self.steps):
                yield tuple(each[first : first + self.steps] for each in drawn)

    def _streams(self, random: tuple[Tensor, ...]) -> list[Rng]:
        """The streams of the K steps."""
        if self._inside:
            return [KeyedRng(words) for words in random[0].unbind()]
        return [DrawnRng([numbers[step] for numbers in random]) for step in range(self.steps)]

    def with_aligned_weights(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Inputs of a call for the same outputs, but for rounding; see ``aligned``."""
        _, state, weights = self._parts(inputs)
        grown = aligned(self.energy, state.x, weights)
        return (*inputs[: -len(grown)], *grown.values()) if grown else inputs

    def outputs(self, tensors: tuple[Tensor, ...]) -> Stride:
        """What the results of a call are."""
        fields = len(self._state._fields)
        state, means, energies = tensors[:fields], tensors[fields], tensors[fields + 1 :]
        info = dict(zip(self._names, means.unbind(), strict=True))
        return Stride(self._state(*state), info, energies[0] if energies else None)

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Fields of the state, means of the info ``(names,)``, and the energy at the start if known."""
        random, state, weights = self._parts(tensors)
        energy = self._with(weights, state.x)
        figures = []
        for of_step in self._streams(random):
            state, info = self.sampler.step(energy, state, of_step)
            watched = [info[name].float().mean() for name in self._names]
            figures.append(torch.stack(watched) if watched else state.x.new_empty(0))
        means = torch.stack(figures).mean(0)
        energies = () if energy.start_energy is None else (energy.start_energy,)
        return (*state, means, *energies)

    def _parts(self, tensors: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], Any, dict[str, Tensor]]:
        """What of the inputs is random, the state, and the weights by name."""
        begin = 1 if self._inside else len(self._draws)
        end = begin + len(self._state._fields)
        weights = dict(zip(self._weights, tensors[end:], strict=True))
        return tensors[:begin], self._state(*tensors[begin:end]), weights

    def _with(self, weights: dict[str, Tensor], x: Tensor) -> Prepared:
        """The energy with these weights, for autograd."""
        return Prepared(lambda x: torch.func.functional_call(self.energy, weights, (x,)), x)


@final
class Held:
    """A graph that was recorded on tensors of its own: inputs are copied into them, results out of others.

    Args:
        function: what it runs.
        inputs: its own; those of a call are copied into them, into the first of their rows, columns and so
            on where its own have more.
        record: runs a function without arguments once, and returns what runs it again on the same memory,
            and its results.
    """

    def __init__(
        self,
        function: Function,
        inputs: tuple[Tensor, ...],
        record: Callable[[Callable[[], tuple[Tensor, ...]]], tuple[Callable[[], None], tuple[Tensor, ...]]],
    ) -> None:
        self._inputs = inputs
        self._replay, self._outputs = record(lambda: function(*self._inputs))

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """``function(*inputs)``."""
        for place, value in zip(self._inputs, inputs, strict=True):
            place[tuple(map(slice, value.shape))].copy_(value)
        self._replay()
        return tuple(each.clone(memory_format=torch.contiguous_format) for each in self._outputs)


def captured(function: Strides, inputs: tuple[Tensor, ...]) -> Function:
    """The function as a CUDA graph: one launch for all its kernels.

    Where convolutions may use tensor cores, images and kernels lie channels last, and convolutions
    hand on multiples of 8 channels.
    """
    if current_precision() == "fp32":
        return Held(function, tuple(each.clone() for each in inputs), _capture)
    images = (_channels_last(each) for each in function.with_aligned_weights(inputs))
    return Held(function, tuple(images), _capture)


def _channels_last(x: Tensor) -> Tensor:
    """A copy, if it is of images or kernels in that order."""
    images = x.ndim == 4  # noqa: PLR2004
    return x.clone(memory_format=torch.channels_last if images else torch.preserve_format)


def _capture(run: Callable[[], tuple[Tensor, ...]]) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        run()  # libraries choose and load their kernels, which cannot be captured
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        outputs = run()
    return graph.replay, outputs


@final
@attrs.frozen
class _Graph:
    strides: Strides
    run: Function


_graphs: OrderedDict[Hashable, _Graph | None] = OrderedDict()
"""By everything but the inputs; None where a graph turned out not to be one."""


def kept() -> list[bool]:
    """Of each graph that was tried and is remembered, whether it is one."""
    return [graph is not None for graph in _graphs.values()]


def forget() -> None:
    """Drop all graphs and what they hold."""
    _graphs.clear()


def _keep(name: Hashable, graph: _Graph | None) -> None:
    _graphs[name] = graph
    while len(_graphs) > _KEPT:
        _graphs.popitem(last=False)


def _make(sampler: Sampler, energy: EnergyFn, state: State, steps: int, rng: Rng) -> _Graph | None:
    """A graph that gives what the steps themselves give, or None, after a warning."""
    if not isinstance(energy, nn.Module):
        raise TypeError("the energy is no nn.Module, whose weights a graph could be given")
    on_gpu = state.x.device.type == "cuda"
    function = Strides(sampler, energy, state, steps=steps, rng=rng, inside=on_gpu)
    first = next(function.random(rng, steps, state.x.device))
    inputs = (*first, *_fields(state), *_values(energy))
    exact = function(*inputs)
    if _kinds(function.outputs(exact).state) != _kinds(state):
        _warn(f"chains of {type(sampler).__name__} walk step by step: the shapes of their state change")
        return None
    record = captured if on_gpu else compiled
    try:
        graph = record(function, inputs)
        found = graph(*inputs)[0]
    except Exception as error:  # noqa: BLE001 - a missing compiler, an operation that cannot be captured
        _warn(f"chains of {type(sampler).__name__} walk step by step: no graph: {_first_line(error)}")
        return None
    if not _agree(found - state.x, exact[0] - state.x):
        _warn(f"chains of {type(sampler).__name__} walk step by step: their graph moves them elsewhere")
        return None
    return _Graph(function, graph)


def _agree(found: Tensor, exact: Tensor) -> bool:
    """Moves of the chains, to rounding for half of them at least: a ReLU near 0 may fall either way."""
    error, size = ((found - exact).flatten(1).norm(dim=1), exact.flatten(1).norm(dim=1))
    return bool((error <= _TOLERANCE[current_precision()] * size).double().mean() >= 0.5)  # noqa: PLR2004


def _follow(
    graph: _Graph, energy: EnergyFn, state: State, *, steps: int, rng: Rng, start_energy: Tensor | None
) -> Iterator[Stride]:
    """Stride by stride; the energy at the start may be known from the first state."""
    assert isinstance(energy, nn.Module)  # noqa: S101 - graphs are made of modules alone
    weights = _values(energy)
    for random in graph.strides.random(rng, steps, state.x.device):
        check_stop()
        stride = graph.strides.outputs(graph.run(*random, *_fields(state), *weights))
        state = stride.state
        yield stride if start_energy is None else attrs.evolve(stride, start_energy=start_energy)


def _plain(energy: EnergyFn) -> EnergyFn:
    """The energy as a function that no plugin knows a faster gradient of."""

    def evaluate(x: Tensor) -> Tensor:
        return energy(x)

    return evaluate


def _tensors(energy: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(energy.named_parameters(), energy.named_buffers())


def _values(energy: nn.Module) -> tuple[Tensor, ...]:
    return tuple(value.detach() for _, value in _tensors(energy))


def _fields(state: Any) -> tuple[Tensor, ...]:
    return tuple(state)


def _kinds(tensors: Any) -> tuple[object, ...]:
    return tuple((each.shape, each.dtype, each.device) for each in tensors)


@final
class _Same:
    """Equal to itself alone, and alive as long as something was made of it."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value


def _described(energy: EnergyFn) -> tuple[object, ...]:
    """Everything that the forward pass may depend on, but the contents of parameters and buffers."""
    if not isinstance(energy, nn.Module):
        return (_Same(energy),)
    modules = (
        (
            name,
            type(module),
            module.training,
            tuple(module._forward_hooks),  # noqa: SLF001
            tuple((key, _attribute(value)) for key, value in vars(module).items() if key not in _MODULE),
        )
        for name, module in energy.named_modules()
    )
    names = tuple(name for name, _ in _tensors(energy))
    return (*modules, names, _kinds(_values(energy)))


def _attribute(value: object) -> Hashable:
    plain = isinstance(value, (bool, int, float, str, type(None)))
    return (type(value), value) if plain else _Same(value)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=4)
