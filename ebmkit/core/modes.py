"""The mode in which chains evaluate an energy: that of every module it uses, whatever way it is written."""

from __future__ import annotations

import dis
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import chain
from threading import Lock
from types import CodeType, FunctionType, MethodType

from torch import nn

__all__ = ["evaluating", "globals_of", "modules_behind"]

_MOST = 1000
"""Objects looked at; a search that goes further has left the energy."""


def modules_behind(energy: object) -> list[nn.Module]:
    """The modules that a callable uses: itself, or those it holds or refers to.

    A bound method leads to its object, a partial to what it binds, a function to its closure, its defaults
    and the globals that its code names, another callable to its attributes. What a function imports, or
    asks another library for, is not seen.

    Examples:
        >>> net = nn.Linear(2, 1)
        >>> [modules_behind(each) == [net] for each in (net, net.forward, lambda x: net(x).squeeze(1))]
        [True, True, True]
    """
    found: list[nn.Module] = []
    seen: set[int] = set()
    waiting = [energy]
    while waiting and len(seen) < _MOST:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, nn.Module):
            found.append(each)
        else:
            waiting += _referred(each)
    return found


def _referred(each: object) -> Iterable[object]:
    """What may be a module or lead to one."""
    if isinstance(each, MethodType):
        return [each.__func__, each.__self__, *_attributes(each.__self__)]
    if isinstance(each, partial):
        return [each.func, *each.args, *each.keywords.values()]
    if isinstance(each, FunctionType):
        return _used_by(each)
    if isinstance(each, (list, tuple)):
        return each
    if isinstance(each, Mapping):
        return list(each.values())
    return _attributes(each) if callable(each) and not isinstance(each, type) else ()


def _used_by(function: FunctionType) -> Iterator[object]:
    """The values of a function's free variables, defaults, and of the globals it names."""
    if function.__module__ is not None and function.__module__.partition(".")[0] == "torch":
        return
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not bound yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for name in globals_of(function.__code__)[0]:
        if name in function.__globals__:
            yield function.__globals__[name]


_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")


@lru_cache(maxsize=4096)
def globals_of(code: CodeType) -> tuple[tuple[str, ...], frozenset[str]]:
    """The globals that code reads, and the attributes of whatever; functions within it included."""
    inner = [globals_of(each) for each in code.co_consts if isinstance(each, CodeType)]
    reads = (each for each in dis.get_instructions(code) if each.opname in _LOADS)
    names = dict.fromkeys(chain((each.argval for each in reads), *(names for names, _ in inner)))
    return tuple(names), frozenset(code.co_names).union(*(attributes for _, attributes in inner))


def _attributes(value: object) -> Iterable[object]:
    return list(getattr(value, "__dict__", {}).values())


_lock = Lock()
_held: Counter[int] = Counter()
_modes: dict[int, bool] = {}


@contextmanager
def evaluating(energy: object) -> Iterator[None]:
    """Put all modules behind an energy into eval mode and give every submodule its own mode back.

    A chain needs rows that do not depend on each other and a kernel that does not change under it: dropout
    and batch statistics would break both. Of several threads that evaluate one module the last one to leave
    gives its mode back.
    """
    modules = list({id(each): each for one in modules_behind(energy) for each in one.modules()}.values())
    with _lock:
        for each in modules:
            if not _held[id(each)]:
                _modes[id(each)] = each.training
            _held[id(each)] += 1
            if each.training:  # setting an attribute of a module takes a while
                each.training = False
    try:
        yield
    finally:
        with _lock:
            for each in modules:
                _held[id(each)] -= 1
                if not _held[id(each)]:
                    del _held[id(each)]
                    if each.training is not (before := _modes.pop(id(each))):
                        each.training = before
