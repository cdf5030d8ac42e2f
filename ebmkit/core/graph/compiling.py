"""Functions of tensors in native code, for energies whose calls take longer than their arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ebmkit.core.graph.recording import Parts, recorded
from ebmkit.core.torch_private import compiled_graph, decompositions, without_repetitions

__all__ = ["Function", "compiled", "followed"]

Function: TypeAlias = Callable[..., tuple[Tensor, ...]]
"""Tensors to tensors, and nothing else."""

_FEW = 4
"""Terms of the sums of a matrix product up to which they are added where they are used."""


def compiled(function: Function, inputs: tuple[Tensor, ...]) -> Function:
    """The function in native code for inputs of these shapes, dtypes and devices; nothing checks them."""
    layouts = [torch.empty(each.shape, device="meta").stride() for each in inputs]

    def laid_out(tensors: tuple[Tensor, ...]) -> list[Any]:
        if list(map(Tensor.stride, tensors)) == layouts:
            return list(tensors)
        return [
            each if each.stride() == layout else each.clone(memory_format=torch.contiguous_format)
            for each, layout in zip(tensors, layouts, strict=True)
        ]

    # Not ``torch.compile``: its checks at every call take a tenth of the time of twenty small steps.
    graph = followed(function, tuple(each.clone() for each in laid_out(inputs)))
    native = compiled_graph(graph, laid_out(inputs))
    return lambda *tensors: tuple(native(*laid_out(tensors)))


def followed(function: Function, inputs: tuple[Tensor, ...]) -> torch.fx.GraphModule:
    """What the function does to such inputs, gradients included, each thing once.

    The backward pass of an activation computes its exponential again; here it takes the forward pass's.

    Args:
        function: called once.
        inputs: each a tensor object of its own.

    Raises:
        UnrecordableError: what it does depends on the numbers in the inputs.
    """
    graph = recorded(function, inputs, _parts())
    return torch.fx.GraphModule(graph, without_repetitions(graph.graph))


def _parts() -> Parts:
    """By operation, how it is made of smaller ones."""
    aten = torch.ops.aten
    forward = [aten.silu, aten.gelu, aten.softplus, aten.mish]
    backward = [aten.silu_backward, aten.gelu_backward, aten.softplus_backward, aten.mish_backward]
    activations: dict[Any, Callable[..., Any]] = decompositions(forward + backward)
    return activations | {aten.mm.default: _product, aten.addmm.default: _sum_and_product}


def _product(left: Tensor, right: Tensor) -> Tensor:
    """``left @ right``; without the call of a library where a layer sees few numbers, or gives one."""
    return (left.unsqueeze(2) * right).sum(1) if len(right) <= _FEW else NotImplemented


def _sum_and_product(
    term: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """``beta term + alpha left @ right``."""
    return beta * term + alpha * _product(left, right) if len(right) <= _FEW else NotImplemented
