"""What a function does to tensors, written down while it does it.

The calls that reach torch's kernels are noted as they are made, gradients included, on true numbers: whoever
is called sees no stand-ins that could stay behind in a list of its own, and nothing is exchanged in
``torch.nn`` as tracers do it, so other threads may go on with what they do.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, final

import torch
from torch import Tensor, fx

from ebmkit.core.leaks import Leaks, reads_numbers
from ebmkit.core.torch_private import (
    TorchDispatchMode,
    WeakTensorKeyDictionary,
    inside,
    is_mutable,
    tensors_in,
    tree_map,
    written,
)

__all__ = ["Parts", "UnrecordableError", "recorded"]

Parts: TypeAlias = Mapping[Any, Callable[..., Any]]
"""By operation, how it is made of smaller ones; what it cannot answer it gives as NotImplemented."""


class UnrecordableError(RuntimeError):
    """Something that a list of calls cannot repeat."""


def recorded(
    function: Callable[..., Sequence[Tensor]], inputs: Sequence[Tensor], parts: Parts | None = None
) -> fx.GraphModule:
    """The calls of ``function(*inputs)``, from the inputs to what it returns.

    Args:
        function: of tensors; called once.
        inputs: each a tensor object of its own. Whatever other tensor is met becomes a constant.
        parts: operations to be written down as others.

    Raises:
        UnrecordableError: it reads numbers out of a tensor, as a branch, ``.item()`` or ``.numpy()`` does,
            draws from torch's own random numbers, or writes into a tensor that is no input.
    """
    recorder = _Recorder(parts or {})
    recorder.enter(inputs)
    with Leaks(recorder.follows, _refuse_leak, reads_numbers), inside(recorder, patience=_PATIENCE):
        outputs = tuple(function(*inputs))
    return recorder.result(outputs)


_PATIENCE = 600.0
"""Seconds for which others may record or read: no more than an evaluation takes."""


@final
class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Below autograd: sees the calls of both passes."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._parts = parts
        self._graph = fx.Graph()
        self._nodes: Any = WeakTensorKeyDictionary()
        self._constants: dict[str, Tensor] = {}
        self._fixed: Any = WeakTensorKeyDictionary()  # constants, and what is made of constants alone

    def enter(self, inputs: Sequence[Tensor]) -> None:
        for number, each in enumerate(inputs):
            self._nodes[each] = self._graph.placeholder(f"input_{number}")

    def result(self, outputs: tuple[Tensor, ...]) -> fx.GraphModule:
        self._graph.output(tuple(map(self._node, outputs)))
        return fx.GraphModule(self._constants, self._graph)

    def follows(self, values: object) -> bool:
        """Whether any of the tensors among the values may depend on the inputs."""
        return any(each in self._nodes and each not in self._fixed for each in tensors_in(values))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        with self:
            result = self._parts.get(func, func.decompose)(*args, **kwargs)
        if result is not NotImplemented:
            return result
        self._refuse(func, args, kwargs)
        given = tree_map(self._argument, (args, kwargs))  # before the call, which may write into one
        fixed = self._is_fixed(func, (args, kwargs))
        result = func(*args, **kwargs)
        self._note(result, self._graph.call_function(func, *given), fixed=fixed)
        return result

    def _refuse(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise UnrecordableError(f"{func} draws from torch's own random numbers")
        if torch.Tag.data_dependent_output in func.tags and self.follows((args, kwargs)):
            raise UnrecordableError(f"{func} reads numbers out of a tensor")
        for each in written(func, args, kwargs):
            if each not in self._nodes or each in self._fixed:
                raise UnrecordableError(f"{func} writes into a tensor that was there before")

    def _is_fixed(self, func: Any, values: object) -> bool:
        among = list(tensors_in(values))
        return bool(among) and not is_mutable(func) and all(each in self._fixed for each in among)

    def _argument(self, value: object) -> Any:
        return self._node(value) if isinstance(value, Tensor) else value

    def _node(self, tensor: Tensor) -> fx.Node:
        node: fx.Node | None = self._nodes.get(tensor)
        if node is None:
            name = f"constant_{len(self._constants)}"
            self._constants[name] = tensor
            node = self._nodes[tensor] = self._graph.get_attr(name)
            self._fixed[tensor] = True
        return node

    def _note(self, result: object, node: fx.Node, *, fixed: bool) -> None:
        if isinstance(result, Tensor):
            self._nodes[result] = node
            if fixed:
                self._fixed[result] = True
        elif isinstance(result, (tuple, list)):
            for place, each in enumerate(result):
                of_it = self._graph.call_function(operator.getitem, (node, place))
                self._note(each, of_it, fixed=fixed)


def _refuse_leak(name: str) -> None:
    raise UnrecordableError(f"Tensor.{name} reads numbers out of a tensor")
