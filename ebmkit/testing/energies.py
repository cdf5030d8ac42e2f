"""What every energy must respect."""

from __future__ import annotations

import warnings
from typing import TypeAlias

import attrs
import torch
from torch import Tensor

from ebmkit.config import signature_of
from ebmkit.core import Energy, Rng, value_and_gradient
from ebmkit.core.gradient import prepare
from ebmkit.testing.claims import EnergyClaims
from ebmkit.testing.modules import (
    TOLERANCE,
    check_derivative,
    check_deterministic,
    check_learning,
    check_rows,
    check_state_dict,
)
from ebmkit.testing.parameters import check_parameters
from ebmkit.testing.parts import OTHER_SHAPES, build_part
from ebmkit.testing.report import CheckSkippedError, noted
from ebmkit.testing.subject import Subject
from ebmkit.testing.tensors import demand, same_bits

__all__ = ["CHECKS"]

EnergySubject: TypeAlias = Subject[EnergyClaims]


def _build(subject: EnergySubject, *, seed: int = 0) -> Energy:
    energy = build_part(subject, subject.claims.shape, seed=seed)
    demand(isinstance(energy, Energy), f"{type(energy).__name__} does not inherit from Energy")
    return energy.eval()  # type: ignore[no-any-return]


def _examples(subject: EnergySubject, dtype: torch.dtype = torch.float32, count: int = 5) -> Tensor:
    return 0.5 * Rng(1).fold_in("examples").normal(torch.empty(count, *subject.claims.shape, dtype=dtype))


def parameters(subject: EnergySubject) -> str:
    """Every keyword parameter has a type, a line under ``Args:``, and a default inside its range."""
    return check_parameters(subject)


def shape(subject: EnergySubject) -> str:
    """``(B, *S) -> (B,)`` finite floating numbers, for one example as for many."""
    energy = _build(subject)
    for count in (1, 5):
        value = energy(_examples(subject, count=count))
        demand(value.shape == (count,), f"{count} examples gave energies of shape {tuple(value.shape)}")
        demand(value.is_floating_point(), f"energies are {value.dtype}")
        demand(bool(torch.isfinite(value).all()), f"energies of ordinary examples are {value.tolist()}")
    return f"S = {subject.claims.shape}"


def other_shapes(subject: EnergySubject) -> str:
    """Examples of other shapes get energies and gradients too, or a ValueError refuses them at the start."""
    if not signature_of(subject.component).parts:
        raise CheckSkippedError("it is not told the shape of examples")
    taken = [other for other in OTHER_SHAPES if _takes(subject, other)]
    return f"takes {', '.join(map(str, taken)) or 'none'} of {len(OTHER_SHAPES)} others"


def _takes(subject: EnergySubject, other: tuple[int, ...]) -> bool:
    """Whether it lets itself be built for such examples; then it has to work on them."""
    subject = attrs.evolve(subject, claims=attrs.evolve(subject.claims, shape=other))
    x, built = _examples(subject), f"built for examples of shape {other}, it"
    with noted(f"with examples of shape {other}, which no ValueError of its constructor refuses"):
        try:
            energy = _build(subject)
        except ValueError:
            return False
        value = energy(x)
        demand(
            value.shape == (len(x),), f"{built} gave {len(x)} of them energies of shape {tuple(value.shape)}"
        )
        plain, fast = (
            value_and_gradient(energy, x).gradient,
            value_and_gradient(prepare(energy, x), x).gradient,
        )
        demand(bool(plain.isfinite().all()), f"{built} has gradients that are not finite")
        demand(
            torch.allclose(fast, plain, rtol=TOLERANCE, atol=1e-5),
            f"{built} is prepared with another gradient",
        )
    return True


def independent_rows(subject: EnergySubject) -> str:
    """In eval mode another example in one row, even NaN, changes no other energy."""
    with torch.no_grad():
        return check_rows(_build(subject), _examples(subject))


def deterministic(subject: EnergySubject) -> str:
    """In eval mode the same examples give the same bits, and no global generator moves."""
    with torch.no_grad():
        return check_deterministic(_build(subject), _examples(subject))


def gradient(subject: EnergySubject) -> str:
    """The gradient in float64 is that of the finite difference; in float32 it is close to it."""
    energy, x = _build(subject).double(), _examples(subject, torch.float64)
    exact = value_and_gradient(energy, x).gradient
    said = check_derivative(energy, x, exact)
    single = value_and_gradient(_build(subject), x.float()).gradient.double()
    error = float((single - exact).norm() / exact.norm())
    demand(error < TOLERANCE, f"the float32 gradient is {error:.2g} (relative) away from the float64 one")
    return f"{said}; float32 within {error:.1g}"


def value_and_gradient_agree(subject: EnergySubject) -> str:
    """``value_and_gradient`` gives the energy and autograd's own gradient, and leaves weights alone."""
    energy, x = _build(subject), _examples(subject)
    found = value_and_gradient(energy, x)
    y = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(energy(y).sum(), y)
    demand(torch.allclose(found.value, energy(x).detach(), rtol=1e-5), "the value is not the energy's own")
    demand(
        torch.allclose(found.gradient, expected, rtol=1e-4, atol=1e-6), "the gradient is not autograd's own"
    )
    filled = [name for name, each in energy.named_parameters() if each.grad is not None]
    demand(not filled, f"it filled the gradients of {', '.join(filled)}")
    return ""


def prepared(subject: EnergySubject) -> str:
    """The gradient that chains use, prepared for them, is that of ``forward``, before and after learning."""
    energy, x = _build(subject), _examples(subject)
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        fast = prepare(energy, x)
    demand(not complaints, "; ".join(str(each.message) for each in complaints))
    for _ in range(2):
        plain = value_and_gradient(lambda y: energy(y), x)  # noqa: PLW0108 - hides what it may know
        found = value_and_gradient(fast, x)
        error = float((found.gradient - plain.gradient).norm() / plain.gradient.norm())
        demand(error < TOLERANCE, f"the prepared gradient is {error:.2g} (relative) away from autograd's")
        close = torch.allclose(found.value.double(), plain.value.double(), rtol=TOLERANCE)
        demand(close, "the prepared energy is not that of forward")
        with torch.no_grad():
            for each in energy.parameters():
                each.mul_(1.1)
    return ""


def learns(subject: EnergySubject) -> str:
    """Every parameter gets a finite gradient from the difference of two energies."""
    energy, x = _build(subject).train(), _examples(subject)
    return check_learning(energy, energy(x).mean() - energy(2 * x + 0.1).mean())


def state_dict(subject: EnergySubject) -> str:
    """Saved weights make another instance the same energy, bit for bit."""
    x = _examples(subject)
    return check_state_dict(_build(subject), _build(subject, seed=1), lambda each: each(x))


def input_unchanged(subject: EnergySubject) -> str:
    """The examples are not modified in place."""
    energy, x = _build(subject), _examples(subject)
    before = x.clone()
    value_and_gradient(energy, x)
    demand(same_bits(x, before), "the examples were modified in place")
    return ""


CHECKS = {
    "parameters": parameters,
    "shape": shape,
    "other-shapes": other_shapes,
    "input-unchanged": input_unchanged,
    "independent-rows": independent_rows,
    "deterministic": deterministic,
    "gradient": gradient,
    "value-and-gradient": value_and_gradient_agree,
    "prepared": prepared,
    "learns": learns,
    "state-dict": state_dict,
}
