r"""Whether a faster gradient is the energy's own: held against autograd with every fast path off.

The two are compared at two states, where the chain starts and at a random one, which the chain has not
seen. For each row the error must be rounding,

$$\|\nabla - \nabla_\text{exact}\| \le \tau \|g\| + 10^{-6} (\|2 a x\| + \max \|g\|), \qquad
g = \nabla_\text{exact} - 2 a x,$$

where $2 a x$ is the share of a quadratic term: it may be a million times the network's, g, which is judged by
its own size. A unit of a ReLU whose input is nearly 0 may fall on either side, so half of the rows are held
to $\tau$ and all of them to 100 $\tau$.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ebmkit.core.autograd import ValueAndGradient, by_autograd
from ebmkit.core.backends import Offer, plain_layers
from ebmkit.core.energy import EnergyFn
from ebmkit.core.precision import Precision
from ebmkit.core.rows import as_rows, per_row
from ebmkit.messages.blame import defined_at

__all__ = ["described", "difference", "difference_from_autograd", "energies_agree", "plainly", "straying"]

TOLERANCE: Mapping[Precision, float] = {"fp32": 1e-3, "mixed": 5e-2, "bf16": 0.1}
_ROUNDING = 1e-6
_SUMMED: Mapping[Precision, float] = {"fp32": 1e-6, "mixed": 1e-6, "bf16": 1e-3}
"""Of the sums that a network's energy may be the small difference of; a reference stays float32."""
_STRAYED: Mapping[Precision, float] = {"fp32": 0.1, "mixed": 0.5, "bf16": 0.5}
"""Of its size, by which a row's gradient may be off along a chain: one unit of a ReLU is not a fault."""
_OF_ALL = 100
_SEED = 5489


def difference_from_autograd(offer: Offer, energy: EnergyFn, x: Tensor) -> str:
    """What sets a gradient made for states like ``x`` apart from autograd's; empty if nothing does.

    Args:
        offer: in float32.
        energy: in the mode in which the chain evaluates it.
        x: where the chain starts, or some rows of it, ``(B, *S)``.
    """
    if found := difference(offer.gradient(x), plainly(energy, x), x, offer.quadratic):
        return found
    for other in _other_states(x):
        exact = plainly(energy, other)
        if exact.value.isfinite().all() and exact.gradient.isfinite().all():
            return difference(offer.gradient(other), exact, other, offer.quadratic)
    return "the energy is finite at no other state than the chain's start"


def plainly(energy: EnergyFn, x: Tensor) -> ValueAndGradient:
    """Autograd's answer with every fast path off."""
    with plain_layers():
        return by_autograd(energy, x)


def difference(
    found: ValueAndGradient,
    exact: ValueAndGradient,
    x: Tensor,
    quadratic: float = 0.0,
    precision: Precision = "fp32",
) -> str:
    """What sets two results at ``x`` apart beyond rounding; empty if nothing does."""
    if fault := _misfit(found, exact, x, quadratic, precision):
        return fault
    errors = _errors(found, exact, 2 * quadratic * x)
    error, allowed, rounding = errors.error, TOLERANCE[precision] * errors.network, errors.rounding
    if not len(error):
        return ""
    most = (error <= allowed + rounding).double().mean() >= 0.5  # noqa: PLR2004 - half of the rows
    right = most and bool((error <= _OF_ALL * allowed + rounding).all())
    return "" if right else errors.told()


def straying(
    found: ValueAndGradient,
    exact: ValueAndGradient,
    x: Tensor,
    quadratic: float = 0.0,
    precision: Precision = "fp32",
) -> str:
    """What sets two results apart beyond doubt: an energy, or a tenth of a row's gradient and more.

    It is asked once a chain, so it must not take a ReLU that falls on the other side for a fault.
    """
    if fault := _misfit(found, exact, x, quadratic, precision):
        return fault
    errors = _errors(found, exact, 2 * quadratic * x)
    right = bool((errors.error <= _STRAYED[precision] * errors.network + errors.rounding).all())
    return "" if right else errors.told()


def _misfit(
    found: ValueAndGradient, exact: ValueAndGradient, x: Tensor, quadratic: float, precision: Precision
) -> str:
    """What sets two results apart beside their gradients."""
    if found.value.shape != exact.value.shape or found.gradient.shape != exact.gradient.shape:
        return f"it has the shapes {tuple(found.value.shape)} and {tuple(found.gradient.shape)}"
    if not energies_agree(found, exact.value, x, quadratic, precision):
        return f"its energies differ by {float((found.value - exact.value).abs().max()):.3g}"
    if not torch.equal(_finite(found.gradient), _finite(exact.gradient)):
        return "its gradient is finite in other rows"
    return ""


def _finite(gradient: Tensor) -> Tensor:
    """Whether each row has a norm, ``(B, *S) -> (B,)``."""
    finite: Tensor = torch.linalg.vector_norm(as_rows(gradient), dim=1).isfinite()
    return finite


class _Errors(NamedTuple):
    """Norms of the rows that are finite, ``(rows,)``: one that is not would excuse all others."""

    error: Tensor
    network: Tensor
    reference: Tensor

    @property
    def rounding(self) -> Tensor:
        """That no gradient can be held to."""
        return _ROUNDING * (self.reference + self.network.max()) if len(self.network) else self.network

    def told(self) -> str:
        """In words."""
        share = float(self.error.norm() / (self.network + self.reference).norm())
        return f"its gradient is off by {share:.2g} of its size"


def _errors(found: ValueAndGradient, exact: ValueAndGradient, of_reference: Tensor) -> _Errors:
    """By how much two gradients differ, and the sizes by which that is judged."""
    error, network, reference = (
        torch.linalg.vector_norm(as_rows(each), dim=1).double()
        for each in (found.gradient - exact.gradient, exact.gradient - of_reference, of_reference)
    )
    finite = network.isfinite()
    return _Errors(error[finite], network[finite], reference[finite])


def energies_agree(
    found: ValueAndGradient, exact: Tensor, x: Tensor, quadratic: float = 0.0, precision: Precision = "fp32"
) -> bool:
    r"""Whether the energies of the first rows of ``x`` are these, to rounding, or not finite like these.

    An energy near 0 may be the difference of large sums, whose rounding is judged by $\|x\| \|\nabla E\|$
    and by the largest energy of the rows, both without the share of a quadratic term.
    """
    rows = len(exact)
    x, value, gradient = (each[:rows] for each in (x, found.value, found.gradient))
    gradient = gradient - 2 * quadratic * x if quadratic else gradient
    # Numbers, not tensors: a chain compares two rows, and each call of torch would take longer than both.
    norms = torch.linalg.vector_norm(as_rows(x), dim=1, dtype=torch.float64).tolist()
    slopes = torch.linalg.vector_norm(as_rows(gradient), dim=1).tolist()
    given, known = value.tolist(), exact.tolist()
    references = [quadratic * norm**2 for norm in norms]
    networks = [abs(one - reference) for one, reference in zip(known, references, strict=True)]
    largest = max((each for each in networks if math.isfinite(each)), default=0.0)
    return all(
        abs(one - other)
        <= TOLERANCE[precision] * network
        + _ROUNDING * abs(reference)
        + _SUMMED[precision] * (largest + 10 * reach)
        if math.isfinite(one) and math.isfinite(other)
        else math.isfinite(one) == math.isfinite(other)
        for one, other, network, reference, reach in zip(
            given, known, networks, references, map(operator.mul, norms, slopes), strict=True
        )
    )


def _other_states(x: Tensor) -> Iterator[Tensor]:
    """Random ones of the size of ``x``; then, for energies of a bounded region, blends of its rows."""
    generator = torch.Generator().manual_seed(_SEED)  # the global generator stays where it is
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float64, device="cpu").to(x)
    spread = float(x.double().std(correction=0))
    yield x.mean() + noise * (spread if 0 < spread < float("inf") else 1.0)
    share = torch.rand(len(x), generator=generator, dtype=torch.float64, device="cpu").to(x)
    share = per_row(share, x)
    yield share * x + (1 - share) * x.roll(1, 0)


def described(energy: EnergyFn) -> str:
    """An energy with the place of its class, or of the function that it is."""
    kind = energy if inspect.isroutine(energy) else type(energy)
    name, place = getattr(kind, "__qualname__", repr(kind)), defined_at(kind)
    return name if place is None else f"{name} ({place})"
