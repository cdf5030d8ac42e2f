r"""Reading an energy by watching it: one true evaluation, every operation of torch followed as it happens.

The energy is evaluated at some rows of the chain's own state, as autograd would be: with a graph, its hooks,
its branches, its side effects. A dispatch mode, which only this thread is in, sees each operation below
autograd, with in-place writes and views told by its schema, and follows what depends on x by the rules of
``rules``. An operation without a rule, a tensor of unknown origin, a value that is looked at: then nothing is
known. Nothing is patched and nothing symbolic reaches the energy's code.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from ebmkit.core.leaks import Leaks, leaves_torch
from ebmkit.core.torch_private import (
    TorchDispatchMode,
    change_count,
    compiler_is_loaded,
    has_tensor_hooks,
    inside,
    packing_hooks,
    tensors_in,
    written,
)
from ebmkit_fastconv.reading.rules import RULES
from ebmkit_fastconv.reading.stack import Features, Stack, Symbol, UnknownOperationError

__all__ = ["Reading", "read"]


@final
class Reading(NamedTuple):
    """What was understood of an energy, with its weights as they are now.

    Attributes:
        stack: the energy.
        energies: its own results, ``(rows,)``.
        operations: what it did, by which two readings are told apart: everything but numbers.
        constants: the tensors that went into it.
    """

    stack: Stack
    energies: Tensor
    operations: Hashable
    constants: tuple[Tensor, ...]


def read(energy: nn.Module, x: Tensor) -> Reading | None:
    """Evaluate the energy at ``x`` and understand it; None where it is of another form, or raises.

    Args:
        energy: in the mode in which the chain evaluates it.
        x: rows of a state, ``(rows, *S)``; neither it nor the energy is changed.
    """
    with torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        observer = (_BesideCompiler if compiler_is_loaded() else _Observer)(x)
        try:
            with inside(observer), Leaks(observer.follows, observer.give_up, leaves_torch):
                energies = energy(x)
        except Exception:  # noqa: BLE001 - its own fault; the chain meets it by itself
            return None
    if observer.unknown or not isinstance(energies, Tensor):
        return None
    try:
        stack = observer.result(energies)
        return Reading(
            stack, energies.detach(), (stack.form, tuple(observer.operations)), observer.constants()
        )
    except UnknownOperationError:
        return None


class _Known(NamedTuple):
    """A tensor that depends on x, kept alive so that its identity stays its own."""

    tensor: Tensor
    symbol: Symbol


class _Observer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows x through an evaluation.

    Attributes:
        unknown: why the energy cannot be read, or nothing.
        operations: the names of what was done, with what did not depend on x.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.unknown = ""
        self.operations: list[Hashable] = []
        self._x, self._rows = x, len(x)
        self._by_memory: dict[int, list[_Known]] = {}
        self._constants: dict[int, tuple[Tensor, int]] = {}
        self._made: dict[int, Tensor] = {}  # by memory: autograd may hand on views as tensors of their own
        self._note(x, Features((), tuple(x.shape[1:])))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch asks, and would import its compiler for no use here."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What the operation gives, unchanged; noted on the side."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not self.unknown:
            try:
                self._follow(func, args, kwargs, result)
            except Exception as error:  # noqa: BLE001 - no fault of a rule may reach the energy's code
                self.give_up(f"{func}: {error}")
        return result

    def follows(self, tensor: Tensor) -> bool:
        """Whether a tensor depends on x, as far as that was seen."""
        return _memory(tensor) in self._by_memory

    def give_up(self, why: str) -> None:
        """Nothing is known of the energy."""
        self.unknown = self.unknown or why

    def result(self, energies: Tensor) -> Stack:
        """The whole energy.

        Raises:
            UnknownOperationError: it is no sum over one network's features, or something moved meanwhile.
        """
        symbol = self._symbol_of(energies)
        if not isinstance(symbol, Stack) or energies.shape != (self._rows,):
            raise UnknownOperationError("the result is not one number for each example")
        if any(change_count(tensor) != count for tensor, count in self._constants.values()):
            raise UnknownOperationError("a tensor that the evaluation changes")
        return symbol.collapsed()

    def constants(self) -> tuple[Tensor, ...]:
        """What did not depend on x and was not made by the evaluation itself."""
        return tuple(tensor for tensor, _ in self._constants.values())

    def _follow(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
        tensors = list(tensors_in((args, kwargs)))
        symbols = {id(each): symbol for each in tensors if (symbol := self._symbol_of(each)) is not None}
        self.operations.append((func.name(), tuple(id(each) in symbols for each in tensors)))
        overwritten = list(written(func, args, kwargs))
        if not symbols:
            self._follow_constant(func, tensors, overwritten, result)
            return
        for each in tensors:
            if type(each) not in (Tensor, nn.Parameter) or each.layout != torch.strided:
                raise UnknownOperationError(f"a {type(each).__name__}")
            if id(each) not in symbols:
                self._note_constant(each)
        if _keeps_by_hand():
            raise UnknownOperationError("a gradient of tensors that a hook may change")
        name = _rule_name(func)
        if name == "detach":  # by the energy, or by autograd for itself: cut off, as its use will show
            return
        if name not in RULES or not isinstance(result, Tensor):
            raise UnknownOperationError(name)
        given = [symbols.get(id(each), each) for each in args]
        symbol = RULES[name](*given, **{key: symbols.get(id(each), each) for key, each in kwargs.items()})
        if tuple(result.shape) != (self._rows, *symbol.shape):
            raise UnknownOperationError("a result of another shape")
        for each in overwritten:
            self._overwrite(each)
        self._note(result, symbol)

    def _follow_constant(
        self, func: Any, tensors: Sequence[Tensor], overwritten: Sequence[Tensor], result: Any
    ) -> None:
        """What has nothing to do with x: the result is what it is, if it is that every time."""
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise UnknownOperationError("random numbers")
        for each in tensors:
            self._note_constant(each)
        self._made |= {_memory(each): each for each in (*tensors_in(result), *overwritten)}

    def _note_constant(self, tensor: Tensor) -> None:
        """Remember how it was; whether it was made here, or has always been there, must be known."""
        if _memory(tensor) in self._made or id(tensor) in self._constants:
            return
        if tensor.grad_fn is not None:
            raise UnknownOperationError("a tensor of unknown origin")
        self._constants[id(tensor)] = (tensor, change_count(tensor))

    def _symbol_of(self, tensor: Tensor) -> Symbol | None:
        """What is known of a tensor that depends on x; None for one that does not.

        Raises:
            UnknownOperationError: it shares memory with one that does, in a way that was not followed, or
                its gradient is not that of the operations that were seen.
        """
        sharing = self._by_memory.get(_memory(tensor))
        if sharing is None:
            return None
        known = next((each for each in reversed(sharing) if _same_place(each.tensor, tensor)), None)
        if known is None:
            raise UnknownOperationError("a view that was not followed")
        if tensor is not self._x and (tensor.grad_fn is None or _is_by_hand(tensor)):
            raise UnknownOperationError("a gradient that is cut, or written by hand")
        if has_tensor_hooks(tensor):
            raise UnknownOperationError("a gradient that a hook may change")
        return known.symbol

    def _note(self, tensor: Tensor, symbol: Symbol) -> None:
        self._by_memory.setdefault(_memory(tensor), []).append(_Known(tensor, symbol))

    def _overwrite(self, tensor: Tensor) -> None:
        """What was known about the memory is so no more; views of it are not followed."""
        self._by_memory[_memory(tensor)] = []


@final
class _BesideCompiler(_Observer):  # type: ignore[no-untyped-call]
    """The same where torch's compiler may be at work: it would compile the observer, too."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return True

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return super().__torch_dispatch__(func, types, args, kwargs)


def _memory(tensor: Tensor) -> int:
    """Its address: what another library hands back has the same one."""
    return tensor.untyped_storage().data_ptr()


def _same_place(one: Tensor, other: Tensor) -> bool:
    return one is other or (
        one.dtype == other.dtype
        and one.shape == other.shape
        and one.stride() == other.stride()
        and one.storage_offset() == other.storage_offset()
    )


def _is_by_hand(tensor: Tensor) -> bool:
    """Whether its gradient is written in Python."""
    return isinstance(tensor.grad_fn, torch.autograd.function.BackwardCFunction)


def _keeps_by_hand() -> bool:
    """Whether somebody else than torch packs what is kept for the way back, and unpacks what they like."""
    return not all(
        str(getattr(each, "__module__", "")).partition(".")[0] == "torch" for each in packing_hooks()
    )


def _rule_name(func: Any) -> str:
    """``relu`` for ``aten::relu`` and ``aten::relu_``; of other libraries nothing is known."""
    library, _, name = func.name().partition("::")
    name = name.partition(".")[0]
    return (name if name.startswith("_") else name.removesuffix("_")) if library == "aten" else f"{library}::"
