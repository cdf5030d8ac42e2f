"""Descriptions of objects, functions and classes by their contents."""

from __future__ import annotations

import enum
import functools
from collections.abc import Hashable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from ebmkit.core.graph.reads import Reads, is_fixed
from ebmkit.core.modes import globals_of
from ebmkit.core.torch_private import MODULE_HOOKS

__all__ = ["Describer", "IndescribableError"]

_MOST_BYTES = 2**16
"""In a tensor that is neither parameter nor buffer: it is compared number by number."""

_MOST_PARTS = 20_000
"""Of one description, so that a chain never spends long on comparing."""

_MODULE = frozenset(vars(nn.Module()))
"""What torch keeps in every module."""

_BY_VALUE = frozenset(
    {bool, int, str, bytes, type(None), type(...), type(NotImplemented), range, CodeType}
    | {torch.dtype, torch.device, torch.layout, torch.memory_format}
)


class IndescribableError(TypeError):
    """Something that cannot be compared with what it was."""


@final
class Describer:
    """Describes one thing after the other, and each once.

    Args:
        classes: what is described elsewhere, and so not again.
    """

    def __init__(self, classes: set[type] | None = None) -> None:
        self._classes = set() if classes is None else classes
        self._modules: dict[int, int] = {}
        self._weights: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self.kept: list[object] = []
        self.reads = Reads()

    def root(self, part: object) -> Hashable:
        """Of an energy, or of whatever else."""
        if not isinstance(part, nn.Module):
            return self._value(part, type(part).__name__)
        modules = list(part.named_modules())
        for _, module in modules:
            self._modules[id(module)] = len(self._modules)
        described: list[Hashable] = []
        for name, module in modules:
            self._module(name, module, described)
        return tuple(described)

    def _module(self, name: str, module: nn.Module, described: list[Hashable]) -> None:
        state, kind = vars(module), type(module)
        described += (name, self.class_(kind), module.training)
        for key, value in state.items():
            if key not in _MODULE:
                described.append((key, self._value(value, f"{kind.__qualname__}.{key}")))
            elif value and key in MODULE_HOOKS:
                raise IndescribableError(f"{kind.__qualname__} {name!r} has hooks ({key})")
        for key, child in state["_modules"].items():
            described.append((key, self._modules.get(id(child))))
        for table in ("_parameters", "_buffers"):
            for key, value in state[table].items():
                described.append((key, None if value is None else self._weight(value)))

    def _weight(self, value: Tensor) -> Hashable:
        """Which it is, and of what kind; its numbers are an input."""
        place = self._weights.setdefault(id(value), len(self._weights))
        return place, value.shape, value.dtype, value.device, value.requires_grad

    def _value(self, value: Any, place: str) -> Hashable:
        """Of anything; ``place`` is where a user finds it."""
        kind = type(value)
        if kind in _BY_VALUE:
            return kind, value
        if kind is float:
            return kind, value.hex()  # NaN is NaN here, and 0.0 not -0.0
        if isinstance(value, type):
            return self.class_(value)
        if isinstance(value, (ModuleType, enum.Enum)) or _is_plain_builtin(value):
            return self._same(value)
        if id(value) in self._seen:
            return "again", self._seen[id(value)]
        self._enter(value, place)
        return self._made(value, kind, place)

    def _made(self, value: Any, kind: type, place: str) -> Hashable:
        """Of what is made of others."""
        if isinstance(value, FunctionType):
            return self._function(value, place)
        if kind is tuple:
            return kind, *(self._value(each, f"{place}[{number}]") for number, each in enumerate(value))
        self.reads.complete = False
        if isinstance(value, Tensor):
            return self._tensor(value, place)
        if isinstance(value, nn.Module):
            return self._registered(value, place)
        if isinstance(value, MethodType):
            return "method", self._value(value.__func__, place), self._value(value.__self__, place)
        return self._contents(value, kind, place)

    def _contents(self, value: Any, kind: type, place: str) -> Hashable:
        """Of containers, and of objects as ``copy`` knows them."""
        if kind is list:
            return kind, *(self._value(each, f"{place}[{number}]") for number, each in enumerate(value))
        if kind in (set, frozenset):
            return kind, frozenset(self._value(each, place) for each in value)
        if kind is dict:
            return kind, *self._items(value, place)
        if kind.__module__ == "numpy" and hasattr(kind, "tobytes"):
            return self._array(value, place)
        return self._object(value, kind, place)

    def _object(self, value: Any, kind: type, place: str) -> Hashable:
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise IndescribableError(f"{place} is a {kind.__qualname__}, which cannot be compared") from error
        if isinstance(reduced, str):
            return self._same(value)
        made_by, arguments, *more = reduced
        state, members, items = (*more, None, None, None)[:3]
        contents = (arguments, state, None if members is None else list(members), dict(items or ()))
        return (
            self.class_(kind),
            self._value(made_by, place),
            *(self._value(each, place) for each in contents),
        )

    def _items(self, items: Mapping[Any, Any], place: str) -> Iterator[Hashable]:
        for key, value in items.items():
            yield self._value(key, place), self._value(value, f"{place}[{key!r}]")

    def _tensor(self, value: Tensor, place: str) -> Hashable:
        if isinstance(value, nn.Parameter):
            raise IndescribableError(f"{place} is a weight where no other can be put for it")
        if value.is_sparse or value.is_quantized or value.numel() * value.element_size() > _MOST_BYTES:
            raise IndescribableError(f"{place} is a large tensor, but no buffer")
        numbers = value.detach().cpu().contiguous().flatten().view(torch.uint8)
        return type(value), value.shape, value.dtype, value.device, numbers.numpy().tobytes()

    def _array(self, value: Any, place: str) -> Hashable:
        if value.nbytes > _MOST_BYTES or value.dtype.hasobject:
            raise IndescribableError(f"{place} is a large array, but no buffer")
        return type(value), value.shape, str(value.dtype), value.tobytes()

    def _registered(self, value: nn.Module, place: str) -> Hashable:
        if id(value) not in self._modules:
            raise IndescribableError(f"{place} is a network that is not among the energy's modules")
        return "module", self._modules[id(value)]

    def _function(self, value: Any, place: str) -> Hashable:
        """Its code, and what that reads beside its arguments."""
        if is_fixed(value.__module__):
            return self._same(value)
        code, more = value.__code__, (value.__defaults__, value.__kwdefaults__, value.__dict__)
        self.reads.function(value)
        closure = zip(code.co_freevars, value.__closure__ or (), strict=True)
        return (
            code,
            *(self._value(each, place) for each in more if each),
            *(self._cell(cell, f"{name} of {value.__qualname__}") for name, cell in closure),
            *self._globals(value.__globals__, code),
        )

    def _cell(self, cell: Any, place: str) -> Hashable:
        try:
            return self._value(cell.cell_contents, place)
        except ValueError:  # nothing in it yet
            return "empty"

    def _globals(self, namespace: Mapping[str, Any], code: CodeType) -> Iterator[Hashable]:
        names, attributes = globals_of(code)
        self.reads.items(namespace, names)
        for name in names:
            if name not in namespace:
                continue
            value = namespace[name]
            if isinstance(value, ModuleType) and not is_fixed(value.__name__):
                self.reads.complete = False
                inside = vars(value)
                for attribute in sorted(attributes & inside.keys()):
                    yield name, attribute, self._value(inside[attribute], f"{name}.{attribute}")
            else:
                yield name, self._value(value, f"the global {name}")

    def class_(self, kind: type) -> Hashable:
        """What it and the classes above it define, where that may change."""
        identity = self._same(kind)
        if issubclass(kind, nn.Module):
            identity = identity, self._same(kind.forward), self._same(kind.__call__)
        own = [each for each in kind.__mro__ if not is_fixed(each.__module__)]
        if not own:
            return identity
        if kind in self._classes:
            self.reads.complete = False  # it is described, but not here
            return identity
        self._classes.add(kind)
        definitions = _known.get(kind)
        if definitions is None or not definitions.reads.hold():
            definitions = _definitions(kind, own, self._classes)
        self.reads.complete = False
        self.kept.append(definitions)
        return identity, definitions.key

    def definition(self, value: Any, place: str) -> Hashable:
        """Of what a class defines: methods and properties by what they are made of."""
        kind = type(value)
        if kind in _WRAPPERS:
            return kind, self._value(getattr(value, _WRAPPERS[kind]), place)
        if kind is not FunctionType and hasattr(kind, "__get__"):
            return self._same(value)
        return self._value(value, place)

    def _same(self, value: object) -> Hashable:
        """Itself alone."""
        self.kept.append(value)
        return "is", id(value)

    def _enter(self, value: object, place: str) -> None:
        self._seen[id(value)] = len(self._seen)
        self.kept.append(value)
        if len(self._seen) > _MOST_PARTS:
            raise IndescribableError(f"there is too much to compare, from {place} on")


@final
class _Definitions(NamedTuple):
    """What classes define.

    Attributes:
        key: to be compared.
        kept: whose addresses it knows.
        reads: where it was found.
    """

    key: Hashable
    kept: list[object]
    reads: Reads


_known: dict[type, _Definitions] = {}
"""Of classes whose definitions hold, which costs a tenth to find out of what it costs to describe them."""

_MOST_KNOWN = 256


def _definitions(kind: type, own: list[type], classes: set[type]) -> _Definitions:
    inner = Describer(classes)
    key = []
    for each in own:
        inner.reads.items(vars(each), tuple(vars(each)), whole=True)
        key += [
            (name, inner.definition(value, f"{each.__qualname__}.{name}"))
            for name, value in vars(each).items()
            if name in _CALLED or not name.startswith(("__", "_abc_"))
        ]
    found = _Definitions(tuple(key), inner.kept, inner.reads)
    if inner.reads.complete:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[kind] = found
    return found


_CALLED = frozenset({"__call__", "__getattr__", "__getattribute__", "__torch_function__"})
_WRAPPERS: Mapping[type, str] = {
    staticmethod: "__func__",
    classmethod: "__func__",
    property: "fget",
    functools.cached_property: "func",
}


def _is_plain_builtin(value: object) -> bool:
    """Whether it is a function in C that belongs to no object."""
    return isinstance(value, BuiltinFunctionType) and isinstance(
        value.__self__, (ModuleType, type, type(None))
    )
