"""Whether a chain went by the gradients it should have gone by: asked at its end.

What is made of x in another thread, or by another library, no operation shows. An energy that turns by it
along the way becomes another one than was read, and all checks before the first step have found it right. So
the last fast gradient is held against autograd's, with every fast path off.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ebmkit.core.agreement import plainly, straying
from ebmkit.core.autograd import ValueAndGradient
from ebmkit.core.energy import EnergyFn
from ebmkit.core.offers import Fast
from ebmkit.core.precision import Precision
from ebmkit.core.rows import as_rows
from ebmkit.messages.brief import brief

__all__ = ["Last", "strayed"]

_STEPS = 200
"""Of all rows, for which autograd looks at all rows once: that is one step in a hundred, or less."""

_LONG = 50
"""Steps from which on all rows are looked at where some cannot be taken by themselves."""


class Last(NamedTuple):
    """The last fast gradient of a chain, and where it was taken."""

    fast: Fast
    x: Tensor
    result: ValueAndGradient

    def __repr__(self) -> str:
        return brief(self)


def strayed(last: Last, energy: EnergyFn, end: Tensor, steps: int, precision: Precision) -> str:
    """What sets the last gradient apart from autograd's; empty if nothing does.

    Compared are as many rows as the length of the chain pays for, two at least: those of the largest numbers
    and norms, because an energy turns where x grows. A difference has to be there again at the end, in all
    rows: where a ReLU is on the other side of zero, one is at one of the places.

    Args:
        last: what to compare.
        energy: in the mode in which the chain evaluates it.
        end: where the chain ended, ``(B, *S)``.
        steps: how many fast gradients were taken.
        precision: of the chain.
    """
    offer = last.fast.offer
    if offer.energies is None and steps < _LONG:
        return ""
    # Whoever evaluated some of the rows showed that it can be done: of a posterior, each has data of its own.
    least = len(last.x) if offer.energies is None else len(last.x) * steps // _STEPS
    rows, quadratic = _outermost(last.x, least), offer.quadratic
    x, found = last.x[rows], ValueAndGradient(*(each[rows] for each in last.result))
    if not straying(found, plainly(energy, x), x, quadratic, precision):
        return ""
    with torch.no_grad():
        found = offer.gradient(end)
    return straying(found, plainly(energy, end), end, quadratic, precision)


def _outermost(x: Tensor, rows: int) -> Tensor:
    """So many rows, two at least: those of the largest numbers and of the largest norms, then the least."""
    rows = max(rows, 2)
    if rows >= len(x):
        return torch.arange(len(x), device=x.device)
    by_number, by_norm = (
        torch.linalg.vector_norm(as_rows(x), order, dim=1).argsort(descending=True).tolist()
        for order in (torch.inf, 2)
    )
    half = rows // 2
    chosen = dict.fromkeys([*by_number[:half], *by_norm[: rows - half], *reversed(by_norm)])
    return torch.tensor(list(chosen)[:rows], device=x.device)
