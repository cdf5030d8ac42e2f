"""Whether a graph gives what the steps give, to rounding."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmkit.core.autograd import by_autograd
from ebmkit.core.backends import plain_layers
from ebmkit.core.energy import EnergyFn
from ebmkit.core.graph.stride import Evaluation, Stride
from ebmkit.core.precision import current_precision

__all__ = ["DisagreementError", "check_evaluation", "check_stride"]

_TOLERANCE = {"fp32": 1e-3, "mixed": 5e-2, "bf16": 5e-2}


_MOST = 0.5
"""Of the chains, which have to agree where roundings add up."""


class DisagreementError(ValueError):
    """Another answer than that of the steps; the message says of what."""


def check_evaluation(found: Evaluation | None, energy: EnergyFn, *, gradient: bool = True) -> None:
    """Hold what a graph saw of an energy on its way against the energy at the same place.

    Args:
        found: by the graph.
        energy: itself.
        gradient: whether also its gradient, by plain autograd.

    Raises:
        DisagreementError: an energy differs, or the gradients of most chains do: where ReLUs are, that of one
            may fall either way.
    """
    if found is None:
        return
    with plain_layers():
        if not gradient or found.gradient is None:
            value = _evaluated(energy, found.x)
        else:
            value, exact = by_autograd(energy, found.x, current_precision())
            if _share(found.gradient, exact) < _MOST:
                raise DisagreementError("their graph has another gradient than autograd")
    if _share(found.value, value, least=1.0) < 1:
        raise DisagreementError("their graph has another energy")


def _evaluated(energy: EnergyFn, x: Tensor) -> Tensor:
    """E(x) in the precision of chains."""
    if current_precision() != "bf16":
        return energy(x)
    with torch.autocast(x.device.type, torch.bfloat16):
        return energy(x)


def check_stride(found: Stride, exact: Stride, x: Tensor) -> None:
    """Hold where a graph leads from ``x`` against where the steps lead.

    Raises:
        DisagreementError: most chains end elsewhere, or something that comes along differs.
    """
    # To rounding for half of the chains at least: steps take their roundings along.
    if _share(found.state.x - x, exact.state.x - x) < _MOST:
        raise DisagreementError("their graph moves them elsewhere")
    for name, one, other in zip(exact.state._fields, found.state, exact.state, strict=True):  # type: ignore[attr-defined, call-overload]
        if name != "x" and _share(one.double(), other.double()) < _MOST:
            raise DisagreementError(f"their graph gives the state another {name}")
    for name, value in exact.info.items():
        if not torch.isclose(found.info[name], value, rtol=5e-2, atol=1e-3, equal_nan=True):
            raise DisagreementError(f"their graph watches another {name}")


def _share(found: Tensor, exact: Tensor, *, least: float = 0.0) -> float:
    """How many rows agree relative to their own size, that of the median row and ``least``, of all.

    Numbers that are not finite agree with any that are not.
    """
    tolerance = _TOLERANCE[current_precision()]
    # Nearly always all do by far, which is asked in fewer calls.
    if not exact.numel():
        return 1.0
    scale = least or float(torch.linalg.vector_norm(exact, 1)) / exact.numel() / 100
    if float(torch.dist(found, exact, p=torch.inf)) <= tolerance * scale:
        return 1.0
    rows = len(exact) if exact.ndim else 1
    found, exact = found.reshape(rows, -1), exact.reshape(rows, -1)
    size, error = (torch.linalg.vector_norm(each, dim=1) for each in (exact, found - exact))
    finite = size.isfinite()
    size = size.where(finite, 0.0)
    close = error <= tolerance * (size + size.median()).clamp_(min=least)
    return float(close.where(finite, ~found.isfinite().all(1)).double().mean())
