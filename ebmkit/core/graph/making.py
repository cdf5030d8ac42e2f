"""Making a graph, and trying it on two inputs before anybody walks in it."""

from __future__ import annotations

import copy
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ebmkit.core.autograd import by_autograd
from ebmkit.core.gradient import Prepared
from ebmkit.core.graph.agreement import check_evaluation, check_stride
from ebmkit.core.graph.capturing import aside, captured
from ebmkit.core.graph.compiling import Function, compiled
from ebmkit.core.graph.description import Description, described, difference, tensors
from ebmkit.core.graph.keeping import Graph
from ebmkit.core.graph.recording import recorded
from ebmkit.core.graph.stride import Form, Strides
from ebmkit.core.precision import current_precision
from ebmkit.core.rng import Rng
from ebmkit.core.sampler import Sampler
from ebmkit.core.torch_private import change_count

__all__ = ["UnfitError", "kinds", "make", "values"]

_NUDGE = 0.01
"""Of the size of a weight, by which the second try has others."""

Inputs: TypeAlias = tuple[Tensor, ...]


class UnfitError(ValueError):
    """An energy or a sampler that no graph can stand in for."""


def make(sampler: Sampler, energy: nn.Module, state: Any, steps: int) -> Graph:
    """A graph of ``steps`` steps that gives what the steps themselves give.

    All is done on copies of the sampler and the energy: whatever they do to themselves when they are called,
    those of the user stay as they are.

    Args:
        sampler: the kernel.
        energy: a module in the mode in which the chain evaluates it.
        state: of the chain.
        steps: K.

    Raises:
        UnfitError: evaluations leave something behind, or states change shape.
        UnrecordableError: what a step does depends on numbers.
        DisagreementError: the graph gives something else.
        CaptureError: on a GPU.
        Exception: whatever else the energy, the sampler or a compiler raise.
    """
    sampler, energy = copy.deepcopy((sampler, energy))
    before = _Snapshot(sampler, energy)
    # Before any other call: it ends at the first random number, so torch's generator stays where it is.
    recorded(lambda x: by_autograd(energy, x, current_precision()), [state.x.clone()])
    before.check()
    form = Form.found(sampler, energy, state, steps=steps, inside=state.x.device.type == "cuda")
    function = Strides(sampler, energy, form)
    first = _inputs(form, state, values(energy), Rng(0))
    with aside(state.x.device):
        exact = form.outputs(function(*_cloned(first)))
    if kinds(exact.state) != kinds(state):
        raise UnfitError("the shapes of their state change")
    run = (captured if form.inside else compiled)(function, first)
    _try(function, run, first)
    _try(function, run, _other_inputs(function, first, exact.state.x))
    before.check()
    return Graph(form, run, state.x.device)


def _try(function: Strides, run: Function, inputs: Inputs) -> None:
    form = function.form
    _, state, _ = form.inputs(inputs)
    with aside(state.x.device):
        exact = form.outputs(function(*_cloned(inputs)))
    found = form.outputs(run(*_cloned(inputs)))
    check_stride(found, exact, state.x)
    check_evaluation(found.evaluation, function.under(inputs))


def _inputs(form: Form, state: Any, weights: Inputs, rng: Rng) -> Inputs:
    return *next(form.random(rng, form.steps, state.x.device)), *state, *weights


def _other_inputs(function: Strides, inputs: Inputs, x: Tensor) -> Inputs:
    """Other keys, another state and other weights: what is no input in truth shows."""
    form, rng = function.form, Rng(1)
    _, _, weights = form.inputs(inputs)
    learned = dict(function.energy.named_parameters())
    nudged = tuple(
        _nudged(value, rng.fold_in(name), learned=name in learned) for name, value in weights.items()
    )
    others = (*inputs[: -len(nudged)], *nudged) if nudged else inputs
    energy = Prepared(function.under(others), x)
    return _inputs(form, function.sampler.init(energy, x), nudged, rng)


def _nudged(value: Tensor, rng: Rng, *, learned: bool) -> Tensor:
    """Near the value; what is not learned, a mask or a variance, keeps its zeros and signs."""
    if not value.is_floating_point():
        return value
    if not learned:
        return value * (1 + _NUDGE * rng.uniform(value))
    size = value.square().mean().sqrt()
    return value + _NUDGE * rng.normal(value) * torch.where(size > 0, size, 1.0)


class _Snapshot:
    """What a sampler and an energy are made of, to be found the same after they were called."""

    def __init__(self, sampler: Sampler, energy: nn.Module) -> None:
        self._sampler, self._energy = sampler, energy
        self._described, self._weights = self._now()

    def check(self) -> None:
        described, weights = self._now()
        changed = [name for name, value in weights.items() if value != self._weights.get(name)]
        if changed:
            raise UnfitError(f"evaluating the energy changes its {changed[0]!r}")
        if described != self._described:
            raise UnfitError(f"calling them changes {difference(self._described, described)}")

    def _now(self) -> tuple[Description, dict[str, tuple[int, int]]]:
        named = tensors(self._energy)
        weights = {name: (id(value), change_count(value)) for name, value in named}
        return described(self._sampler, self._energy), weights


def values(energy: nn.Module) -> Inputs:
    """Of parameters and buffers, detached."""
    return tuple(value.detach() for _, value in tensors(energy))


def kinds(state: Any) -> tuple[object, ...]:
    """Shapes, dtypes and devices of a state's tensors."""
    return tuple((each.shape, each.dtype, each.device) for each in state)


def _cloned(inputs: Inputs) -> Inputs:
    """Because a step may write into the numbers it drew."""
    return tuple(each.clone() for each in inputs)
