"""The door: an energy comes in, and a fast gradient goes out if what it does can be read.

Where it cannot, and while something learns, single layers are still faster.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import final

import torch
from torch import Tensor, nn

from ebmkit.core import Gradient, GradientBackend, Offer, Precision, ValueAndGradient
from ebmkit.core.notes import Notes
from ebmkit.core.torch_private import MODULE_HOOKS, hook_tables_of_all, is_compiled
from ebmkit_fastconv.chains.closed_form import closed_form
from ebmkit_fastconv.maps.processor import EVERYWHERE, rules
from ebmkit_fastconv.maps.transforms import status
from ebmkit_fastconv.reading.reader import read
from ebmkit_fastconv.reading.stack import UnknownOperationError
from ebmkit_fastconv.updates.layers import WideConvolutions, has_wide_convolutions

__all__ = ["ClosedForms"]

_CALLS = 16
"""Gradients whose saved calls pay for a reading: measured with three layers, of more both take longer."""

_ROWS = 2
"""Rows that are read: more than one, because forward passes may treat a single row in a way of its own."""


@final
class ClosedForms(GradientBackend):
    """Value and gradient in closed form, for energies that are a stack of layers.

    The energy is read anew for every chain, by one evaluation of two rows (see ``reading``), so that whatever
    it depends on is as it is now. What could not be read is not tried again until the module's layers or
    plain attributes change.
    """

    def __init__(self) -> None:
        self._unread = Notes()

    def __call__(self, energy: nn.Module, x: Tensor, precision: Precision) -> Offer | None:
        """None where the energy cannot be read, or autograd does better."""
        if x.dtype != torch.float32 or not len(x) or not _is_candidate(energy):
            return None
        if self._unread.has(energy, description := _describe(energy)):
            return None
        offer = _offer(energy, x, precision)
        if offer is None:
            self._unread.replace(energy, description)
        return offer

    def patience(self, energy: nn.Module) -> int:
        """Without convolutions calls are saved, not arithmetic: a reading takes as long as some gradients."""
        convolves = any(each.ndim > 2 for each in energy.parameters())  # noqa: PLR2004
        return 0 if convolves or rules() is EVERYWHERE else _CALLS

    def layers(self, module: nn.Module) -> AbstractContextManager[object]:
        """A block in which torch's convolutions go Winograd's way where that is faster."""
        return WideConvolutions() if has_wide_convolutions(module) else nullcontext()

    def status(self) -> str:
        """For ``ebmkit doctor``."""
        return f"transforms {status()}"


def _offer(energy: nn.Module, x: Tensor, precision: Precision) -> Offer | None:
    reading = read(energy, x[:_ROWS])
    if reading is None:
        return None
    try:
        gradient = closed_form(reading.stack, x, precision)
    except UnknownOperationError:
        return None
    return Offer(
        _in_dtype(gradient, reading.energies.dtype),
        reading=reading.operations,
        quadratic=reading.stack.quadratic,
        energies=reading.energies,
        depends_on=reading.constants,
    )


def _in_dtype(gradient: Gradient, dtype: torch.dtype) -> Gradient:
    """Energies as the module gives them."""

    def computed(x: Tensor) -> ValueAndGradient:
        result = gradient(x)
        return ValueAndGradient(result.value.to(dtype), result.gradient)

    return computed


def _is_candidate(energy: nn.Module) -> bool:
    """It has layers that are worth it, and nothing that hooks into it or compiled it."""
    modules = list(energy.modules())
    return (
        any(isinstance(module, (nn.Conv2d, nn.Linear)) for module in modules)
        and not any(map(_is_followed, modules))
        and not any(hook_tables_of_all().values())
    )


def _is_followed(module: nn.Module) -> bool:
    """Whether somebody's code runs with each call of the module, or its own does not."""
    return is_compiled(module) or any(vars(module).get(name) for name in MODULE_HOOKS)


def _describe(energy: nn.Module) -> tuple[object, ...]:
    """By which it is told whether reading it again may give something else."""
    return tuple(
        (name, type(module), *((key, value) for key, value in vars(module).items() if _is_plain(value)))
        for name, module in energy.named_modules()
    )


def _is_plain(value: object) -> bool:
    """Whether a value can be compared with what it was, of a tuple all that is in it."""
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return isinstance(value, (bool, int, float, str, type(None)))
