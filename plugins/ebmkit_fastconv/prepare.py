"""The door: an energy comes in, and a fast gradient goes out if its forward pass can be read.

Where it cannot, and while something learns, single layers are still faster.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
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
_TOLERANCES: Mapping[Precision, float] = {"fp32": _TOLERANCE, "mixed": _TOLERANCE, "bf16": 0.1}
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
    state before it is trusted. The weights are read anew at every call, and the first energy that comes
    of it is compared with the module's own: a forward pass may depend on what this package cannot see.
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
    if reading is None or reading.description != _describe(energy):
        reading = _read(energy, x)
    gradient = _build(energy, reading.graph, x, precision)
    return None if gradient is None else _Watched(energy, gradient, reading.dtype, precision)


@final
class _Watched:
    """A closed form that is held against the module's own energy of one state where it is first asked.

    If they differ the forward pass is read again; what cannot be read then is left to autograd.
    """

    def __init__(
        self, energy: nn.Module, gradient: ClosedForm, dtype: torch.dtype, precision: Precision
    ) -> None:
        self._energy, self._precision = energy, precision
        self._gradient: ClosedForm | None = gradient
        self._dtype, self._trusted = dtype, False

    def __call__(self, x: Tensor) -> ValueAndGradient:
        """``(B, *S) -> (B,), (B, *S)``; energies in the dtype in which the module gives them."""
        if self._gradient is None:
            return value_and_gradient(self._energy, x)
        result = self._gradient(x)
        if not self._trusted:
            self._trusted = True
            if not self._holds(self._gradient, x[:1], result.value[:1]):
                return self._read_again(x)
        return ValueAndGradient(result.value.to(self._dtype), result.gradient)

    def _holds(self, gradient: ClosedForm, x: Tensor, value: Tensor) -> bool:
        with torch.no_grad():
            exact = self._energy(x)
        reference = gradient.quadratic * x.double().square().sum()
        error, network = (value - exact).abs().double(), (exact - reference).abs()
        return bool(error <= _TOLERANCES[self._precision] * network + _ROUNDING * (reference.abs() + 1.0))

    def _read_again(self, x: Tensor) -> ValueAndGradient:
        reading = _read(self._energy, x)
        self._gradient = _build(self._energy, reading.graph, x, self._precision)
        self._dtype = reading.dtype
        return self(x)


def _is_candidate(energy: nn.Module) -> bool:
    """It has layers that are worth it, and nothing that hooks into them."""
    modules = list(energy.modules())
    return any(isinstance(module, (nn.Conv2d, nn.Linear)) for module in modules) and not any(
        map(_hooks, modules)
    )


def _hooks(module: nn.Module) -> bool:
    return any(vars(module)[name] for name in _HOOKS)


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


def _build(energy: nn.Module, graph: fx.Graph | None, x: Tensor, precision: Precision) -> ClosedForm | None:
    if graph is None:
        return None
    try:
        with torch.no_grad():
            return closed_form(read_stack(energy, graph, x), x, precision)
    except UnknownOperationError:
        return None


def _read(energy: nn.Module, x: Tensor) -> _Reading:
    """Trace the module, see whether the closed form agrees with it, and remember what came of it."""
    reading = _readings[energy] = _Reading(_describe(energy), *_graph_and_dtype(energy, x[:_ROWS]))
    return reading


def _graph_and_dtype(energy: nn.Module, x: Tensor) -> tuple[fx.Graph | None, torch.dtype]:
    graph = trace(energy)
    fast = _build(energy, graph, x, "fp32")
    if fast is None:
        return None, torch.float32
    exact = value_and_gradient(energy, x)
    if _agree(fast(x), exact, of_reference=2 * fast.quadratic * x):
        return graph, exact.value.dtype
    if torch.isfinite(exact.value).all():
        message = (
            f"the closed form of {type(energy).__name__} differs from autograd's gradient and is not used"
        )
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return None, torch.float32


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
