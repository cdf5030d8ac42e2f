"""The door: an energy comes in, and a fast gradient goes out if its forward pass can be read.

Where it cannot, and while something learns, single layers are still faster.
"""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx, nn

from ebmkit.core import Gradient, Precision, ValueAndGradient, value_and_gradient
from ebmkit_fastconv.gradient import ClosedForm, closed_form
from ebmkit_fastconv.layers import WideConvolutions, has_wide_convolutions
from ebmkit_fastconv.native import status
from ebmkit_fastconv.structure import UnknownOperationError, read_stack, trace

__all__ = ["prepare"]

_TOLERANCE = 1e-3
_ROUNDING = 1e-6
_ROWS = 8
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


class _Reading(NamedTuple):
    """What was found out about a module: valid as long as its description stays."""

    description: tuple[object, ...]
    graph: fx.Graph | None
    dtype: torch.dtype


_readings: WeakKeyDictionary[nn.Module, _Reading] = WeakKeyDictionary()


@final
class ClosedForms:
    """Value and gradient in closed form, for energies that are a stack of layers: a ``Preparer``.

    The forward pass is traced once for each module. What was read is compared with autograd at the first
    state before it is trusted, and its value at one state with the module's own at every call, where the
    weights are read anew: a forward pass may depend on what this package cannot see.
    """

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
        """None where the forward pass cannot be read, or autograd does better."""
        return _prepare(energy, x, precision)

    def layers(self, module: nn.Module, learning: bool) -> AbstractContextManager[object]:
        """A block in which torch's convolutions go Winograd's way where that is faster."""
        return WideConvolutions(learning=learning) if has_wide_convolutions(module) else nullcontext()

    def status(self) -> str:
        """For ``ebmkit doctor``."""
        return f"transforms {status()}"


prepare = ClosedForms()
"""What the entry point names."""


def _prepare(energy: nn.Module, x: Tensor, precision: Precision) -> Gradient | None:
    if x.dtype != torch.float32 or not len(x) or not _is_candidate(energy):
        return None
    reading = _readings.get(energy)
    if (
        reading is None
        or reading.description != _describe(energy)
        or not _still_holds(energy, reading, x[:1])
    ):
        reading = _readings[energy] = _read(energy, x)
    if reading.graph is None:
        return None
    gradient = _build(energy, reading.graph, x, precision)
    return None if gradient is None else _with_dtype(gradient, reading.dtype)


def _is_candidate(energy: nn.Module) -> bool:
    """It has layers that are worth it, and nothing that hooks into them."""
    modules = list(energy.modules())
    return any(isinstance(module, (nn.Conv2d, nn.Linear)) for module in modules) and not any(
        map(_hooks, modules)
    )


def _hooks(module: nn.Module) -> bool:
    return any(vars(module)[name] for name in _HOOKS)


def _still_holds(energy: nn.Module, reading: _Reading, x: Tensor) -> bool:
    """Whether the module still gives the value at one state that was read off it."""
    if reading.graph is None:
        return True
    fast = _build(energy, reading.graph, x, "fp32")
    if fast is None:
        return False
    with torch.no_grad():
        exact = energy(x)
    reference = fast.quadratic * x.double().square().sum()
    error = (fast(x).value - exact).abs().double()
    return bool(error <= _TOLERANCE * (exact - reference).abs() + _ROUNDING * (reference.abs() + 1.0))


def _describe(energy: nn.Module) -> tuple[object, ...]:
    """Everything but tensors that the forward pass may depend on."""
    plain = (bool, int, float, str, tuple, type(None))
    return tuple(
        (
            name,
            type(module),
            *((key, value) for key, value in vars(module).items() if isinstance(value, plain)),
        )
        for name, module in energy.named_modules()
    )


def _build(energy: nn.Module, graph: fx.Graph, x: Tensor, precision: Precision) -> ClosedForm | None:
    try:
        with torch.no_grad():
            return closed_form(read_stack(energy, graph, x), x, precision)
    except UnknownOperationError:
        return None


def _read(energy: nn.Module, x: Tensor) -> _Reading:
    """Trace the module and see whether the closed form agrees with it."""
    description, x = _describe(energy), x[:_ROWS]
    graph = trace(energy)
    fast = None if graph is None else _build(energy, graph, x, "fp32")
    if fast is None:
        return _Reading(description, None, torch.float32)
    exact = value_and_gradient(energy, x)
    if _agree(fast(x), exact, of_reference=2 * fast.quadratic * x):
        return _Reading(description, graph, exact.value.dtype)
    if torch.isfinite(exact.value).all():
        message = (
            f"the closed form of {type(energy).__name__} differs from autograd's gradient and is not used"
        )
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return _Reading(description, None, torch.float32)


def _agree(fast: ValueAndGradient, exact: ValueAndGradient, *, of_reference: Tensor) -> bool:
    """To rounding for half of the rows at least: a ReLU whose input is nearly 0 may fall either way.

    The reference's share of the gradient can be a million times the network's, so the network's is judged
    by its own size, as far as it is there beside the reference's rounding.
    """
    error, network, reference = (
        each.flatten(1).norm(dim=1)
        for each in (fast.gradient - exact.gradient, exact.gradient - of_reference, of_reference)
    )
    same_gradient = error <= _TOLERANCE * network + _ROUNDING * reference
    same_value = (fast.value - exact.value).abs() <= _TOLERANCE * (exact.value.abs().double() + 1.0)
    return bool((same_gradient & same_value).double().mean() >= 0.5)  # noqa: PLR2004


def _with_dtype(gradient: ClosedForm, dtype: torch.dtype) -> Gradient:
    """Energies in the dtype in which the module itself gives them."""
    if dtype == gradient.dtype:
        return gradient

    def cast(x: Tensor) -> ValueAndGradient:
        value, slope = gradient(x)
        return ValueAndGradient(value.to(dtype), slope)

    return cast
