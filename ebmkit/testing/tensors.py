"""Tensors and states, compared bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from ebmkit.testing.report import CheckFailedError

__all__ = ["demand", "demand_same", "fields", "same_bits", "snapshot", "through_safetensors"]


def demand(holds: bool, message: str) -> None:
    """Raise CheckFailedError with the message unless the rule holds."""
    if not holds:
        raise CheckFailedError(message)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors agree in shape, type and every bit; NaN equals itself."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.equal(
        a.detach().reshape(-1).contiguous().view(torch.uint8),
        b.detach().reshape(-1).contiguous().view(torch.uint8),
    )


def fields(state: Any) -> dict[str, Tensor]:
    """The tensors of a sampler's state by name.

    Raises:
        CheckFailedError: it is no named tuple, has no ``x``, or holds something that is no tensor.
    """
    demand(hasattr(state, "_asdict"), f"a state is a named tuple of tensors, not {type(state).__name__}")
    named: dict[str, Tensor] = state._asdict()
    demand("x" in named, f"a state has a field x, this one has {', '.join(named)}")
    for name, value in named.items():
        kind = type(value).__name__
        demand(isinstance(value, Tensor), f"a state holds tensors only, but {name} is a {kind}")
    return named


def snapshot(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies that later changes in place do not reach."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def demand_same(before: Mapping[str, Tensor], after: Mapping[str, Tensor], what: str) -> None:
    """Fail with the names of the tensors whose bits differ."""
    changed = [name for name in before if name not in after or not same_bits(before[name], after[name])]
    demand(not changed, f"{what}: {', '.join(changed)}")


def through_safetensors(state: Any) -> Any:
    """The state as a checkpoint would give it back."""
    saved = save({name: value.detach().contiguous().clone() for name, value in fields(state).items()})
    return type(state)(**load(saved))
