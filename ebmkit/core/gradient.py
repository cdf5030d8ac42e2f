r"""E(x) and its gradient, by autograd or by something faster that is known for the energy.

A chain evaluates one energy, whose weights do not change, at many states of one shape. So before it
starts the energy is *prepared* for it: turned into a callable that gives value and gradient at such
states. Samplers do not see this: they call ``value_and_gradient`` as always.

Nothing faster is used before it was found equal to autograd, and whatever it raises means autograd.
"""

from __future__ import annotations

from contextvars import ContextVar
from itertools import chain
from typing import final

import torch
from torch import Tensor, nn

from ebmkit.core.agreement import described, difference, energies_agree, plainly
from ebmkit.core.autograd import ValueAndGradient, by_autograd
from ebmkit.core.backends import plain_layers
from ebmkit.core.ending import Last, strayed
from ebmkit.core.energy import EnergyFn
from ebmkit.core.offers import Fast, find_fast, first_line, leave_out, waits
from ebmkit.core.precision import current_precision
from ebmkit.core.snapshot import Snapshot
from ebmkit.core.torch_private import change_counts
from ebmkit.core.verification import current_verification
from ebmkit.errors import WrongGradientError

__all__ = ["Prepared", "prepare", "value_and_gradient"]


@final
class Prepared:
    """An energy as a chain hands it to its sampler: callable like the energy it was made of.

    The fast gradient is made again when a parameter or buffer has changed in place since (torch counts
    the versions of a tensor; optimizers with fused kernels, and writes through ``.data``, are not
    counted, so weights that change that way need a new chain), and left aside for states of another
    shape than the one it was made for.

    Args:
        energy: any callable ``(B, *S) -> (B,)``.
        x: a state of the chain: its start.
        watched: whether the energy may change in other ways while it is used; see ``renew``.
        gradients: how many will be taken at least, where that is known: few do not pay for asking backends
            that take as long as some gradients. They are asked when that many were taken all the same.

    Attributes:
        start_energy: E(x) of that very tensor, ``(B,)`` nats, once a gradient was taken there.
    """

    def __init__(
        self, energy: EnergyFn, x: Tensor, *, watched: bool = False, gradients: int | None = None
    ) -> None:
        self.energy = energy
        self.start_energy: Tensor | None = None
        self._start: Tensor | None = x
        self._at: Tensor | None = x
        self._snapshot: Snapshot | None = None
        self.precision = current_precision()
        self._watched, self._verified = watched, current_verification()
        self._fast: Fast | None = None
        self._parts: list[Prepared] = []
        self._last: Last | None = None
        self._used = 0
        self._waits = 0 if gradients is None else waits(energy, gradients)
        if not self._waits:
            self._prepare(x)
        if (parts := _within.get(None)) is not None:
            parts.append(self)

    def __call__(self, x: Tensor) -> Tensor:
        """The energy itself, differentiable: ``(B, *S) -> (B,)``."""
        return self.energy(x)

    def value_and_gradient(self, x: Tensor) -> ValueAndGradient:
        """As the function of that name."""
        result = self._evaluate(x)
        if x is self._start:
            self.start_energy, self._start = result.value, None
        return result

    def renew(self) -> None:
        """Expect that other code has changed the energy, in whatever way: look before the next use."""
        if self._watched and self._fast is not None:
            self._stale = self._snapshot is None or not self._snapshot.holds()
            self._doubted = True

    def strays(self, end: Tensor | None = None) -> bool:
        """Whether a chain that ends there went by other gradients than autograd's; see ``ending``.

        Whoever computed them is never asked about this energy again then, and one warning says so. Of an
        energy that is made of others they are looked at, each where it was evaluated last.

        Raises:
            WrongGradientError: it did, in a run that asks for verification.
        """
        if (last := self._last) is None:
            return False
        of_parts = last.fast.offer.energies is None and [part.strays() for part in self._parts]
        if not of_parts or not any(of_parts):
            end = last.x if end is None else end
            if not (fault := strayed(last, self.energy, end, self._used, self.precision)):
                return False
            if current_verification() != "off":
                raise self._wrong(last.fast, last.x, fault)
            why = f"left autograd's gradient along a chain ({fault}), which was noticed at its end"
            leave_out(last.fast.owner, last.fast.about, self.energy, why)
        self._fast = self._last = None
        return True

    def _evaluate(self, x: Tensor) -> ValueAndGradient:
        if self._fast is None or _kind(x) != self._for:
            return self._by_autograd(x)
        if self._stale or self._versions != change_counts(self._tensors):
            self._prepare(x)
            return self._evaluate(x)
        try:
            result = self._by(self._fast, x)
            holds = not self._doubted or self._holds(self._fast, x, result)
        except WrongGradientError:
            raise
        except Exception as error:  # noqa: BLE001 - a failing fast path must not cost an answer
            return self._without(self._fast, x, f"raised {first_line(error)}")
        if not holds:
            return self._again(x)
        self._last, self._used = Last(self._fast, x, result), self._used + 1
        return result

    def _by_autograd(self, x: Tensor) -> ValueAndGradient:
        if self._waits:
            self._waits -= 1
            if not self._waits:
                self._prepare(x)
        return by_autograd(self.energy, x, self.precision)

    def _by(self, fast: Fast, x: Tensor) -> ValueAndGradient:
        if torch.is_grad_enabled():  # not in a chain
            with torch.no_grad():
                result = fast.offer.gradient(x)
        else:
            result = fast.offer.gradient(x)
        if self._verified != "off":
            self._verify(fast, x, result)
        return result

    @torch.no_grad()
    def _prepare(self, x: Tensor, *, anew: bool = False) -> None:
        self._for, self._at = _kind(x), x
        token = _within.set([])
        try:
            self._fast = find_fast(self.energy, x, self.precision, anew=anew)
            self._parts = _within.get()
        finally:
            _within.reset(token)
        if self._fast is None:
            return
        offer = self._fast.offer
        self._stale, self._doubted = False, offer.energies is not None
        tensors = [*_tensors_of(self.energy), *offer.depends_on]
        self._tensors = list({id(each): each for each in tensors}.values())
        self._versions = change_counts(self._tensors)
        self._snapshot = Snapshot(self.energy) if self._watched else None

    def _holds(self, fast: Fast, x: Tensor, result: ValueAndGradient) -> bool:
        """Whether the energies of some rows are those of the energy itself."""
        self._doubted = False
        known, at, self._at = fast.offer.energies, self._at, None
        if known is None or x is not at:
            with torch.no_grad(), plain_layers():
                known = self.energy(x if known is None else x[: len(known)])
        return energies_agree(result, known, x, fast.offer.quadratic, self.precision)

    def _again(self, x: Tensor) -> ValueAndGradient:
        """The energy is not what was understood of it: read it once more, and compare the gradients."""
        self._prepare(x, anew=True)
        self._doubted = False
        return self._evaluate(x)

    def _without(self, fast: Fast, x: Tensor, why: str) -> ValueAndGradient:
        """Autograd from now on. What it raises is the energy's own fault, so it comes before the blame."""
        self._fast = None
        result = by_autograd(self.energy, x, self.precision)
        leave_out(fast.owner, fast.about, self.energy, why)
        return result

    def _verify(self, fast: Fast, x: Tensor, result: ValueAndGradient) -> None:
        """Compare with autograd.

        Raises:
            WrongGradientError: they differ.
        """
        if self._verified == "first":
            self._verified = "off"
        if fault := difference(result, plainly(self.energy, x), x, fast.offer.quadratic, self.precision):
            raise self._wrong(fast, x, fault)

    def _wrong(self, fast: Fast, x: Tensor, fault: str) -> WrongGradientError:
        return WrongGradientError(
            f"the gradient that {fast.owner} computes for {described(self.energy)} at states of shape "
            f"{tuple(x.shape)} is not autograd's: {fault}"
        )


def prepare(energy: EnergyFn, x: Tensor, *, gradients: int | None = None) -> Prepared:
    """The energy, ready for many gradients at states like ``x``, or for so many at least; see ``Prepared``.

    Energies made of others prepare those: inside ``Energy.prepare`` of a wrapper, call this for the part
    and build the whole gradient from the part's.
    """
    return energy if isinstance(energy, Prepared) else Prepared(energy, x, gradients=gradients)


def value_and_gradient(energy: EnergyFn, x: Tensor) -> ValueAndGradient:
    r"""E(x) and $\nabla_x E(x)$ for each row of ``x``.

    Samplers get gradients from here and nowhere else, so that a faster way to compute them
    reaches every sampler. Only the gradient with respect to ``x`` is formed: parameters keep
    their ``.grad``, and no time goes into weight gradients (a third of a step).

    Args:
        energy: any callable ``(B, *S) -> (B,)``.
        x: where to evaluate, ``(B, *S)``.

    Raises:
        ValueError: the energy returned another shape than ``(B,)``.

    Examples:
        >>> import torch
        >>> value_and_gradient(lambda x: (x**2).sum(1) / 2, torch.tensor([[3.0, 4.0]]))
        ValueAndGradient(value=tensor([12.5000]), gradient=tensor([[3., 4.]]))
    """
    if isinstance(energy, Prepared):
        return energy.value_and_gradient(x)
    return by_autograd(energy, x)


_within: ContextVar[list[Prepared]] = ContextVar("ebmkit_prepared_within")
"""Energies that are prepared while another one is: the parts that it is made of."""


def _tensors_of(energy: EnergyFn) -> list[Tensor]:
    return list(chain(energy.parameters(), energy.buffers())) if isinstance(energy, nn.Module) else []


def _kind(x: Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return x.shape, x.dtype, x.device
