"""All of torch's private parts that ebmkit and its plugins reach for, each with what is done without it.

Torch promises nothing about them, so they are asked here and nowhere else, which a test looks after. Where
one is gone a fast path is left aside, and the answer stays what it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

import torch
from torch import Tensor, nn
from torch._prims_common import suggest_memory_format
from torch.nn.modules import module as _of_modules
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode, is_in_torch_dispatch_mode
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = [
    "MODULE_HOOKS",
    "BatchNorm",
    "BusyError",
    "TorchDispatchMode",
    "WeakTensorKeyDictionary",
    "change_count",
    "change_counts",
    "compiled_graph",
    "compiler_is_loaded",
    "decompositions",
    "engine",
    "has_bfloat16_arithmetic",
    "has_onednn",
    "has_tensor_hooks",
    "hook_tables_of_all",
    "inside",
    "is_awaited",
    "is_compiled",
    "is_derived_forward",
    "is_mutable",
    "is_observed",
    "is_traced",
    "is_transformed",
    "keeps_numbers",
    "lerp_all",
    "onednn",
    "packing_hooks",
    "suggest_memory_format",
    "tensors_in",
    "tree_map",
    "without_repetitions",
    "written",
]

# Modes below autograd.

_PATIENCE = 1.0
_flags = RLock()


class BusyError(RuntimeError):
    """Another thread holds what only one can have."""


def compiler_is_loaded() -> bool:
    """Whether torch's compiler may be at work in this process."""
    return "torch._dynamo" in sys.modules


@contextmanager
def inside(mode: TorchDispatchMode, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Enter a dispatch mode in this thread.

    Entering it the usual way sets flags that all threads share, and then what they were before: two threads
    that cross leave them set. They tell torch's compiler to leave alone what runs in the mode, so they are
    set where the compiler is loaded, by one thread at a time.

    Raises:
        BusyError: another thread has been in a mode for so many seconds.
    """
    push = getattr(torch._C, "_push_on_torch_dispatch_stack", None)
    if push is not None and not compiler_is_loaded():
        push(mode)
        try:
            yield
        finally:
            torch._C._pop_torch_dispatch_stack(None)
    elif _flags.acquire(timeout=patience):
        try:
            with mode:
                yield
        finally:
            _flags.release()
    else:
        raise BusyError("another thread is watching torch's operations")


def is_observed() -> bool:
    """Whether a mode sees every operation of this thread."""
    length = getattr(torch._C, "_len_torch_dispatch_stack", None)
    return bool(is_in_torch_dispatch_mode() if length is None else length())


def is_mutable(operation: Any) -> bool:
    """Whether an operation writes into one of its arguments, by its schema."""
    return bool(operation._schema.is_mutable)


def written(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Tensor]:
    """The arguments that a call of an operation writes into, by its schema."""
    for place, each in enumerate(operation._schema.arguments):
        if each.alias_info is not None and each.alias_info.is_write:
            yield from tensors_in(args[place] if place < len(args) else kwargs.get(each.name))


def tensors_in(values: object) -> Iterator[Tensor]:
    """Those among some values, and in their lists and dictionaries."""
    return (each for each in tree_iter(values) if isinstance(each, Tensor))


# What is happening around a call.


def is_traced() -> bool:
    """Whether ``torch.jit`` writes down what happens."""
    return torch._C._get_tracing_state() is not None


def is_transformed() -> bool:
    """Whether ``torch.func`` maps or differentiates what happens; True where torch does not say."""
    interpreter = getattr(torch._C._functorch, "peek_interpreter_stack", None)
    return interpreter is None or interpreter() is not None


def is_derived_forward() -> bool:
    """Whether a block of forward derivatives is open; True where torch does not say."""
    return getattr(torch.autograd.forward_ad, "_current_level", 0) >= 0


def packing_hooks() -> Sequence[object]:
    """Functions that pack and unpack what autograd keeps in this thread. Torch before 2.8 does not say."""
    top = getattr(torch._C._autograd, "_top_saved_tensors_default_hooks", None)
    return () if top is None else top(True) or ()


# Tensors.


def change_count(tensor: Tensor) -> int:
    """How often it was changed in place, as torch counts it."""
    return tensor._version


def change_counts(tensors: Iterable[Tensor]) -> list[int]:
    """``change_count`` of each."""
    return [each._version for each in tensors]


def has_tensor_hooks(tensor: Tensor) -> bool:
    """Whether anything may change its gradient."""
    return bool(tensor._backward_hooks)


def keeps_numbers(tensor: Tensor) -> bool:
    """Whether it has memory of its own; False where torch does not say."""
    asked = getattr(torch._C, "_has_storage", None)
    return asked is not None and bool(asked(tensor))


def lerp_all(tensors: list[Tensor], others: list[Tensor], share: float) -> None:
    """Move tensors that share of the way to others, in place; together where torch can."""
    together = getattr(torch, "_foreach_lerp_", None)
    if together is not None:
        together(tensors, others, share)
        return
    for one, other in zip(tensors, others, strict=True):
        one.lerp_(other, share)


# Modules and their hooks.

MODULE_HOOKS = tuple(name for name in vars(nn.Module()) if "hooks" in name and "state_dict" not in name)
"""Names of the tables in every module, of hooks that are called with it or on the way back."""


def hook_tables_of_all() -> dict[str, dict[Any, Any]]:
    """By name, the tables of hooks that are called with every module."""
    names = (name for name in vars(_of_modules) if name.startswith("_global_") and name.endswith("hooks"))
    return {name: vars(_of_modules)[name] for name in names}


def is_compiled(module: nn.Module) -> bool:
    """Whether ``module.compile()`` was called."""
    return getattr(module, "_compiled_call_impl", None) is not None


# Autograd.


def engine() -> Callable[..., Any] | None:
    """What ``torch.autograd.grad`` calls; None where torch has none under that name."""
    return getattr(getattr(torch.autograd.Variable, "_execution_engine", None), "run_backward", None)


def is_awaited(node: Any) -> bool:
    """Whether this backward pass goes on to a node; True where torch does not say."""
    try:
        return bool(torch._C._will_engine_execute_node(node))
    except (AttributeError, RuntimeError, TypeError):  # another torch; a leaf whose gradient is the result
        return True


# oneDNN.

onednn = torch.ops.mkldnn


def has_onednn() -> bool:
    """Whether oneDNN's convolutions with weights packed ahead are there and switched on."""
    return bool(getattr(torch._C, "_has_mkldnn", False) and torch._C._get_mkldnn_enabled()) and all(
        hasattr(onednn, name) for name in ("_reorder_convolution_weight", "_convolution_pointwise")
    )


def has_bfloat16_arithmetic() -> bool:
    """Whether the processor computes in bfloat16 by itself; False where torch does not say."""
    asked = getattr(onednn, "_is_mkldnn_bf16_supported", None)
    return asked is not None and bool(asked())


# The compiler.


def compiled_graph(function: Any, inputs: list[Any]) -> Callable[..., Any]:
    """A graph of operations in native code, without the checks at every call that ``torch.compile`` makes.

    Raises:
        ImportError: there is no such compiler.
    """
    import torch._inductor  # takes a second to import

    return torch._inductor.compile(function, inputs, options={"cpp_wrapper": True})  # type: ignore[no-any-return]


def without_repetitions(graph: torch.fx.Graph) -> torch.fx.Graph:
    """The graph that does each thing once; itself where torch cannot tell."""
    try:
        from torch._functorch.compile_utils import fx_graph_cse
    except ImportError:
        return graph
    return fx_graph_cse(graph)


def decompositions(operations: Sequence[Any]) -> dict[Any, Callable[..., Any]]:
    """How torch makes some operations of smaller ones; nothing where it does not say."""
    try:
        from torch._decomp import get_decompositions
    except ImportError:
        return {}
    return dict(get_decompositions(operations))
