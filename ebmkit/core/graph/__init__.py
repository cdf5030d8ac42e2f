r"""Several steps of a chain as one graph: no Python between them.

On a small energy a step is a few dozen calls that each take longer than their arithmetic; on a GPU also on
larger ones. A graph of K steps is made once, compiled on a CPU and captured on a GPU (a CUDA graph), and
then run for every K steps. Everything that may differ between two runs is an input of it: the state, the
weights, and the keys of the random numbers, which a GPU draws inside; on a CPU the numbers themselves,
because the hash of their keys, compiled by torch 2.13, ends the process.

What else an answer may depend on is described and compared at the start of every chain (``description``);
another sampler, shape, precision or attribute makes another graph. Before its first use a graph is tried on
two inputs (``making``). In every chain an evaluation of its first stride is held against the energy itself,
and one of its last stride against plain autograd, gradient included (``agreement``).

Where no graph can be made, or one gives another answer, chains walk step by step as always, and one warning
says why; one that is found wrong at the end of a chain has it walked from its start.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core.energy import EnergyFn
from ebmkit.core.gradient import Prepared
from ebmkit.core.graph.agreement import DisagreementError, check_evaluation
from ebmkit.core.graph.capturing import CaptureError, forget_failures
from ebmkit.core.graph.description import IndescribableError, described
from ebmkit.core.graph.keeping import Generation, Graph, Shelf, settle
from ebmkit.core.graph.making import UnfitError, kinds, make, values
from ebmkit.core.graph.recording import UnrecordableError
from ebmkit.core.graph.stride import Stride, plain, stride_length
from ebmkit.core.offers import first_line
from ebmkit.core.precision import current_precision
from ebmkit.core.rng import Rng
from ebmkit.core.sampler import Sampler, State
from ebmkit.core.stopping import check_stop
from ebmkit.core.torch_private import is_observed

__all__ = ["StrayedError", "Stride", "forget", "kept", "stride_length", "strides"]

_OURS = (CaptureError, DisagreementError, IndescribableError, UnfitError, UnrecordableError)
"""Whose messages say it all."""

_shelf = Shelf()


class StrayedError(Exception):
    """A graph whose last stride was found wrong; the chain is to be walked from its start."""


def kept() -> list[bool]:
    """Of each graph that was tried and is remembered, whether it is one."""
    return _shelf.kept()


def forget() -> None:
    """Drop all graphs and what they hold, and what is known of those that could not be made."""
    _shelf.forget()
    forget_failures()


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

    Raises:
        StrayedError: from the iterator, at its end.
    """
    start, length = Prepared(plain(energy), x), stride_length(steps)
    state = sampler.init(start, x)
    name: Hashable = None
    try:
        if not isinstance(energy, nn.Module):
            raise UnfitError("the energy is not an nn.Module, whose weights a graph could be given")  # noqa: TRY301
        name = _name(sampler, energy, state, length)
        if (found := _shelf.find(name, partial(make, sampler, energy, state, length))) is None:
            return None
        generation, graph = found
        leaps = _follow(
            generation, graph, energy, state, steps=steps, rng=rng, start_energy=start.start_energy
        )
        first = next(leaps)
        check_evaluation(first.evaluation, energy, gradient=False)
    except Exception as error:  # noqa: BLE001 - whatever it is, the chain can be walked
        _refuse(name, sampler, error)
        return None
    return _checked(chain([first], leaps), name, sampler, energy)


def _refuse(name: Hashable, sampler: Sampler, error: Exception) -> None:
    if name is not None:
        _shelf.refuse(name)
    _shelf.warn(f"chains of {type(sampler).__name__} walk step by step: {_reason(error)}")


def _checked(
    leaps: Iterator[Stride], name: Hashable, sampler: Sampler, energy: nn.Module
) -> Iterator[Stride]:
    """The same, and a look at the last one: a graph goes by what another thread made of x at its making."""
    leap = None
    for leap in leaps:
        yield leap
    try:
        check_evaluation(None if leap is None else leap.evaluation, energy)
    except Exception as error:
        _refuse(name, sampler, error)
        raise StrayedError from error


def _name(sampler: Sampler, energy: nn.Module, state: State, length: int) -> Hashable:
    """All that a graph may depend on, but its inputs."""
    if is_observed() or torch.is_anomaly_enabled():
        raise UnfitError("somebody watches every operation (a dispatch mode, or anomaly detection)")
    device = state.x.device
    settings = (
        current_precision(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        # Chains of different streams must not write into the same inputs.
        torch.cuda.current_stream(device) if device.type == "cuda" else None,
    )
    return described(sampler, energy), kinds(state), length, settings


def _follow(
    generation: Generation,
    graph: Graph,
    energy: nn.Module,
    state: Any,
    *,
    steps: int,
    rng: Rng,
    start_energy: Tensor | None,
) -> Iterator[Stride]:
    """Stride by stride; the energy at the start may be known from the first state."""
    weights = values(energy)
    for random in graph.form.random(rng, steps, state.x.device):
        check_stop()
        stride = graph.form.outputs(graph.run(*random, *state, *weights))
        state = stride.state
        yield stride if start_energy is None else attrs.evolve(stride, start_energy=start_energy)
    if generation is not _shelf.generation:  # it retired meanwhile, and goes with this chain
        settle(generation)


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if isinstance(error, _OURS) else f"no graph: {first_line(error)}"
