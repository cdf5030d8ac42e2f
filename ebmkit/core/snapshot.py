"""Whether anything that an energy's forward pass may depend on has changed since."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias, final

import numpy as np
import torch
from torch import Tensor, nn

from ebmkit.core.modes import globals_of
from ebmkit.core.torch_private import change_count, change_counts, hook_tables_of_all

__all__ = ["Snapshot"]

_MOST = 5_000
"""Containers looked at; beyond, nothing is known."""

_MOST_NUMBERS = 10_000
"""Of an array, whose numbers nothing counts the changes of."""

Compare: TypeAlias = Callable[[], bool]

_PLAIN: tuple[type, ...] = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
_PLAIN += (type, BuiltinFunctionType, ModuleType)

_FOREIGN = sys.stdlib_module_names - {"builtins", "collections", "types"}
"""Whose objects, loggers for one, change by themselves; forward reads no number of theirs."""


@final
class Snapshot:
    """What an energy was made of at one moment.

    Compared are: attributes of its modules and of the objects in them, however deeply (parameters, buffers,
    hooks, layers and their order among them), items of lists and dictionaries, numbers in small arrays, the
    attributes of its classes, the globals that its functions name and what they enclose, hooks for all
    modules, and how often each tensor was changed in place. Not seen are what functions import or ask others
    for (context variables, the environment), and changes that torch does not count (through ``.data``, by
    fused optimizers).

    Args:
        energy: any object.
    """

    def __init__(self, energy: object) -> None:
        self._seen: dict[int, object] = {}  # keeps them alive: an id may not be used again
        self._compared: list[Compare] | None = []
        self._empty: list[Mapping[Any, Any]] = []  # most are: tables of hooks
        self._tensors: list[Tensor] = []
        self._counts: list[int] = []
        try:
            self._take(energy)
        except _UnknownError:
            self._compared = None

    def holds(self) -> bool:
        """Whether all of it is as it was; False where it could not be described."""
        return (
            self._compared is not None
            and not any(self._empty)
            and change_counts(self._tensors) == self._counts
            and all(unchanged() for unchanged in self._compared)
        )

    def _take(self, energy: object) -> None:
        for table in hook_tables_of_all().values():
            self._items(table)
        waiting = [energy]
        while waiting:
            each = waiting.pop()
            if isinstance(each, _PLAIN) or id(each) in self._seen:
                continue
            self._seen[id(each)] = each
            if len(self._seen) > _MOST:
                raise _UnknownError
            waiting += self._describe(each)

    def _describe(self, each: Any) -> list[object]:
        """Note what there is to compare, and return what it leads to."""
        if isinstance(each, Tensor):
            self._tensors.append(each)
            self._counts.append(change_count(each))
            return []
        if isinstance(each, np.ndarray):
            return self._array(each)
        if isinstance(each, (FunctionType, MethodType)):
            return self._function(each)
        if isinstance(each, dict):
            return self._items(each)
        if isinstance(each, (list, tuple, set, frozenset)):
            return self._keep(_members_of(each))
        found = self._class(type(each)) if isinstance(each, nn.Module) else []
        if hasattr(each, "__dict__"):
            found += self._items(vars(each))
        slots = [name for base in type(each).__mro__ for name in _names(vars(base).get("__slots__", ()))]
        return found + (self._keep(lambda: [getattr(each, name, None) for name in slots]) if slots else [])

    def _items(self, mapping: Mapping[Any, Any]) -> list[object]:
        keys, values = list(mapping), list(mapping.values())
        if not keys:
            self._empty.append(mapping)
        else:
            self._compared_list().append(
                lambda: (
                    len(mapping) == len(keys)
                    and all(map(operator.is_, mapping.values(), values))
                    and list(mapping) == keys
                )
            )
        return [*keys, *values]

    def _keep(self, values: _Values) -> list[object]:
        kept = values()
        # Kept alive by the closure, so that equal identities mean equal objects.
        self._compared_list().append(lambda: _same(values(), kept))
        return kept

    def _class(self, kind: type) -> list[object]:
        found: list[object] = []
        for base in kind.__mro__:
            if base.__module__.partition(".")[0] not in ("torch", "builtins", "abc", "typing"):
                if id(base) in self._seen:
                    continue
                self._seen[id(base)] = base
                found += self._items(vars(base))
        return found

    def _function(self, function: FunctionType | MethodType) -> list[object]:
        """What a function finds outside of its arguments."""
        if isinstance(function, MethodType):
            return [function.__func__, function.__self__]
        if (function.__module__ or "").partition(".")[0] in ("torch", "numpy"):
            return []
        found, cells = function.__globals__, function.__closure__ or ()
        names = [name for name in globals_of(function.__code__)[0] if name in found]
        kept = self._keep(lambda: [*map(found.get, names), *map(_content, cells)]) if names or cells else []
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        return [*filter(_is_own, kept), *defaults]

    def _array(self, array: np.ndarray[Any, Any]) -> list[object]:
        if array.size > _MOST_NUMBERS or array.dtype.hasobject:
            raise _UnknownError
        kept = array.copy()
        self._compared_list().append(lambda: array.shape == kept.shape and array.tobytes() == kept.tobytes())
        return []

    def _compared_list(self) -> list[Compare]:
        assert self._compared is not None  # noqa: S101 - while the snapshot is taken
        return self._compared


class _UnknownError(Exception):
    """There is something whose changes cannot be seen."""


_Values: TypeAlias = Callable[[], list[object]]


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _is_own(each: object) -> bool:
    """Whether it is followed further: no object of the standard library's."""
    return isinstance(each, nn.Module) or type(each).__module__.partition(".")[0] not in _FOREIGN


def _members_of(members: Any) -> _Values:
    return lambda: list(members)


def _names(slots: object) -> list[str]:
    names = [slots] if isinstance(slots, str) else [str(name) for name in slots]  # type: ignore[attr-defined]
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _same(now: list[object], then: list[object]) -> bool:
    return len(now) == len(then) and all(map(operator.is_, now, then))
