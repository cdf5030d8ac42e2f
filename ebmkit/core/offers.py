"""Asking everybody who may know a faster gradient of an energy, and checking what they offer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias, final

import attrs
import torch
from torch import Tensor, nn

from ebmkit.core.agreement import difference_from_autograd, energies_agree, plainly
from ebmkit.core.autograd import Gradient
from ebmkit.core.backends import InstalledBackend, Offer, gradient_backends, plain_layers
from ebmkit.core.energy import Energy, EnergyFn
from ebmkit.core.notes import Notes
from ebmkit.core.precision import Precision, computing_in
from ebmkit.errors import WrongGradientError

__all__ = ["Fast", "find_fast", "first_line", "leave_out", "waits"]

_ROWS = 8
"""Of a state on which an offer is compared with autograd, where rows can be taken by themselves."""

_notes = Notes()


@final
@attrs.frozen(eq=False)
class Fast:
    """An offer that was found right.

    Attributes:
        owner: who answers for it: an energy's own method, or a plugin and its distribution.
        about: what it was found right for: a module, or the class whose method it is.
        offer: what it is.
    """

    owner: str
    about: object
    offer: Offer


Ask: TypeAlias = Callable[[Tensor, Precision], Offer | Gradient | None]


@final
@attrs.frozen
class _Way:
    """Somebody to ask."""

    owner: str
    about: object
    ask: Ask


def find_fast(energy: EnergyFn, x: Tensor, precision: Precision, *, anew: bool = False) -> Fast | None:
    """What the energy knows about itself, or else the first backend that knows something right about it.

    Args:
        energy: in the mode in which the chain evaluates it.
        x: a state of the chain, ``(B, *S)``.
        precision: in which the gradient may be computed.
        anew: whether to compare with autograd what was found right before.
    """
    found = (_tried(way, energy, x, precision, anew=anew) for way in _ways(energy))
    return next((fast for fast in found if fast is not None), None)


def waits(energy: EnergyFn, gradients: int) -> int:
    """How many gradients to take before anybody is asked, where so few do not pay for it; 0 for none.

    What the energy knows about itself is asked for at once.
    """
    if not isinstance(energy, nn.Module):
        return 0
    if isinstance(energy, Energy) and type(energy).prepare is not Energy.prepare:
        return 0
    patience = min((_patience(each, energy) for each in gradient_backends()), default=0)
    return patience if gradients < patience else 0


def _patience(installed: InstalledBackend, energy: nn.Module) -> int:
    assert installed.backend is not None  # noqa: S101 - others are left out
    try:
        return installed.backend.patience(energy)
    except Exception:  # noqa: BLE001 - what is wrong with it is said when it is asked
        return 0


def leave_out(owner: str, about: object, energy: EnergyFn, why: str) -> None:
    """Never ask this owner about it again, and say so once."""
    if not _notes.has(about, (owner, _FAILED)):
        _notes.add(about, (owner, _FAILED))
        _warn(f"{owner} {why}: chains of {type(energy).__name__} take autograd's gradient")


_FAILED, _RIGHT, _WRONG = "failed", "right", "wrong"


def _ways(energy: EnergyFn) -> Iterator[_Way]:
    if isinstance(energy, Energy):
        kind = type(energy)
        yield _Way(f"{kind.__qualname__}.prepare", kind, lambda x, _: energy.prepare(x))
    if isinstance(energy, nn.Module):
        for each in gradient_backends():
            assert each.backend is not None  # noqa: S101 - others are left out
            yield _Way(each.owner, energy, partial(each.backend, energy))


def _tried(way: _Way, energy: EnergyFn, x: Tensor, precision: Precision, *, anew: bool) -> Fast | None:
    if _notes.has(way.about, (way.owner, _FAILED)):
        return None
    try:
        offer = _asked(way, x, precision)
        fast = None if offer is None else Fast(way.owner, way.about, offer)
        return fast if fast is not None and _is_right(way, fast, energy, x, precision, anew=anew) else None
    except WrongGradientError:
        raise
    except Exception as error:  # noqa: BLE001 - a failing fast path must not cost an answer
        if _autograd_works(energy, x):  # otherwise the energy is at fault, and says so when it is asked
            leave_out(way.owner, way.about, energy, f"raised {first_line(error)}")
        return None


def _asked(way: _Way, x: Tensor, precision: Precision) -> Offer | None:
    with computing_in(precision), plain_layers(), torch.no_grad():
        offer = way.ask(x, precision)
    return offer if isinstance(offer, Offer) or offer is None else Offer(offer)


def _is_right(
    way: _Way, fast: Fast, energy: EnergyFn, x: Tensor, precision: Precision, *, anew: bool
) -> bool:
    """Whether an offer is the energy's gradient: looked up, or found out."""
    key = (way.owner, fast.offer.reading, tuple(x.shape), x.dtype, x.device, precision)
    if not anew and _notes.has(way.about, (key, _RIGHT)):
        return True
    if _notes.has(way.about, (key, _WRONG)):
        return False
    fault = _fault(way, fast.offer, energy, x, precision)
    _notes.add(way.about, (key, _WRONG if fault else _RIGHT))
    if fault:
        what = f"the gradient that {way.owner} knows for {type(energy).__name__}"
        _warn(f"{what} differs from autograd's and is not used: {fault}")
    return not fault


def _fault(way: _Way, offer: Offer, energy: EnergyFn, x: Tensor, precision: Precision) -> str:
    """The gradient of some rows against autograd's in float32, then the energies of all rows."""
    # Whoever evaluated some of the rows showed that it can be done.
    part, in_part = x if offer.energies is None else x[:_ROWS], offer
    if len(part) < len(x) or precision != "fp32":
        again = _asked(way, part, "fp32")
        if again is None:
            return "it is not offered for fewer rows"
        in_part = again
    if fault := difference_from_autograd(in_part, energy, part):
        return fault
    if in_part is offer:
        return ""
    with torch.no_grad(), plain_layers():
        exact = energy(x)
        found = offer.gradient(x)
    agree = energies_agree(found, exact, x, offer.quadratic, precision)
    return "" if agree else "the energies of a whole batch are others"


def _autograd_works(energy: EnergyFn, x: Tensor) -> bool:
    try:
        plainly(energy, x)
    except Exception:  # noqa: BLE001 - whatever the energy raises
        return False
    return True


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=6)
