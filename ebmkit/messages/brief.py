"""Records of tensors and configurations on a line or two, as the last line of a notebook cell shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ebmkit.messages.quoting import shortened

__all__ = ["brief"]

_ITEMS = 6
"""Of a mapping, a sequence or a tensor: as many are shown, beyond that, the number or the shape."""


def brief(record: Any) -> str:
    """What an attrs class or named tuple holds: shapes of large tensors, counts of mappings of tensors.

    Such a class has it as its ``__repr__``.

    Examples:
        >>> from ebmkit.core import Batch
        >>> import torch
        >>> Batch(torch.zeros(3, 1, 64, 64), torch.arange(3))
        Batch(x=(3, 1, 64, 64) float32, positions=tensor([0, 1, 2]), condition=None)
    """
    named = attrs.has(type(record))
    names = [each.name for each in attrs.fields(type(record)) if each.repr] if named else record._fields
    fields = ", ".join(f"{name.lstrip('_')}={_shown(getattr(record, name))}" for name in names)
    return f"{type(record).__name__}({fields})"


def _shown(value: Any, depth: int = 0) -> str:
    """A value on one line: torch is recognised by what its objects have, for it is not imported here."""
    if hasattr(value, "dtype") and hasattr(value, "numel") and value.numel() > _ITEMS:
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if hasattr(value, "named_parameters"):
        return f"{type(value).__name__} of {_counted(value.parameters())}"
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if type(value) in (list, tuple):
        shown = ", ".join(_shown(each, depth + 1) for each in value)
        return f"({shown})" if len(value) <= _ITEMS and not depth else f"({len(value)} items)"
    if depth and attrs.has(type(value)):
        return f"{type(value).__name__}(…)"
    return shortened(" ".join(repr(value).split()))


def _mapping(value: Mapping[Any, Any], depth: int) -> str:
    if value and all(hasattr(each, "numel") for each in value.values()):
        return f"{len(value)} tensors of {_counted(value.values())}"
    if depth or len(value) > _ITEMS:
        return f"{{{len(value)} entries}}"
    return f"{{{', '.join(f'{name}: {_shown(each, depth + 1)}' for name, each in value.items())}}}"


def _counted(tensors: Any) -> str:
    return f"{sum(each.numel() for each in tensors):,} numbers"
