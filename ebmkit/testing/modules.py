"""What energies and generators have in common: they are modules whose rows are independent."""

from __future__ import annotations

from collections.abc import Callable

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ebmkit.core import as_rows
from ebmkit.testing.randomness import unmoved
from ebmkit.testing.tensors import demand, demand_same, same_bits

__all__ = [
    "TOLERANCE",
    "check_derivative",
    "check_deterministic",
    "check_learning",
    "check_rows",
    "check_state_dict",
    "check_unchanged",
]

TOLERANCE = 1e-3
"""Relative error of a gradient that is still called right."""

_ROW = 2
_STEP = 1e-6


def check_rows(function: Callable[[Tensor], Tensor], x: Tensor) -> str:
    """Another example in one row, even NaN, changes nothing in the others."""
    rest = torch.arange(len(x)) != _ROW
    plain = function(x)[rest]
    for value in (0.7, torch.nan):
        other = x.clone()
        other[_ROW] = value
        difference = float((function(other)[rest] - plain).abs().max())
        scale = float(plain.abs().max()) + 1
        # Not NaN either, which compares false.
        demand(difference <= 1e-6 * scale, f"an example of {value} changes other rows by {difference:.3g}")
    return ""


def check_deterministic(function: Callable[[Tensor], Tensor], x: Tensor) -> str:
    """In eval mode the same input gives the same bits and moves no global generator."""
    with unmoved("in eval mode it"):
        demand(same_bits(function(x), function(x)), "the same input gives other bits the second time")
    return ""


def check_unchanged(function: Callable[[Tensor], object], x: Tensor) -> str:
    """The input is not modified in place, values beyond [-1, 1] in it neither."""
    given, before = 1.5 * x, 1.5 * x
    function(given)
    demand(same_bits(given, before), "what it is given is modified in place")
    return ""


def check_derivative(function: Callable[[Tensor], Tensor], x: Tensor, gradient: Tensor) -> str:
    """The gradient in float64 is the central difference in random directions, ``(B, *S) -> (B,)``."""
    directions = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    with torch.no_grad():
        measured = (function(x + _STEP * directions) - function(x - _STEP * directions)) / (2 * _STEP)
    exact = as_rows(gradient * directions).sum(1)
    error = float(((measured - exact).abs() / (1 + exact.abs())).max())
    demand(error < TOLERANCE, f"the gradient is {error:.2g} (relative) away from the finite difference")
    return f"within {error:.1g} of the finite difference"


def check_learning(module: nn.Module, loss: Tensor) -> str:
    """Every parameter that can learn gets a finite gradient."""
    named = {name: each for name, each in module.named_parameters() if each.requires_grad}
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True) if named else ()
    unused = [name for name, gradient in zip(named, gradients, strict=True) if gradient is None]
    demand(not unused, f"these parameters never learn: {', '.join(unused)}")
    lost = [n for n, g in zip(named, gradients, strict=True) if g is not None and not torch.isfinite(g).all()]
    demand(not lost, f"these parameters have gradients that are not finite: {', '.join(lost)}")
    return f"{len(named)} parameters"


def check_state_dict(module: nn.Module, other: nn.Module, function: Callable[[nn.Module], Tensor]) -> str:
    """Weights saved by safetensors and loaded into a new instance give the same bits."""
    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    demand(
        all(isinstance(value, Tensor) for value in weights.values()), "state_dict() holds more than tensors"
    )
    other.load_state_dict(load(save({name: value.clone() for name, value in weights.items()})))
    demand_same(module.state_dict(), other.state_dict(), "loading changed")
    demand(same_bits(function(module), function(other)), "the loaded instance gives other values")
    return f"{len(weights)} tensors"
