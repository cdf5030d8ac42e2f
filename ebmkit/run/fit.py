"""Whether the parts of a run fit its data: what they do with two examples of that shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from ebmkit.config import ConfigProblemsError, Key
from ebmkit.config.plan import Plan
from ebmkit.core import ConditionalEnergy, ConditionalGenerator, Rng, given
from ebmkit.errors import EbmkitError, PluginError
from ebmkit.messages.blame import defined_at, nearest, place_in
from ebmkit.messages.quoting import shortened

__all__ = ["DEBUG", "check_shapes", "refused"]

PartT = TypeVar("PartT")

DEBUG = "EBMKIT_DEBUG=1 shows the traceback"

_LONGEST = 500
"""Characters of a message that a part wrote: it may repeat a value of any length."""


def refused(plan: Plan, key: Key, message: str) -> ConfigProblemsError:
    """What a part does not take, placed at its table."""
    document = plan.document
    return ConfigProblemsError([document.problem("E109", message, key)], file=document.file)


def check_shapes(plan: Plan, parts: dict[str, Any], shape: tuple[int, ...]) -> None:
    """A generator gives examples of the data's shape, an energy takes them.

    Args:
        plan: whose document has the places.
        parts: built, by the names of their tables.
        shape: of an example of the data.

    Raises:
        ConfigProblemsError: one does not, placed at its table; with a plugin error's exit code where it
            raised something else than a ValueError, by which parts refuse what they do not take.
        PluginError: an energy gave something else than one number an example.
    """
    with torch.no_grad():
        if "generator" in parts and (generator := _of_some_class(parts["generator"])) is not None:
            generator.eval()
            examples = _asked(plan, "generator", shape, lambda: generator(generator.prior(2, rng=Rng(0))))
            generator.train()
            if (made := tuple(examples.shape[1:])) != shape:
                message = f"it makes examples of shape {made}, the data have {shape}"
                raise refused(plan, ("generator",), message)
        if "energy" in parts and (energy := _of_some_class(parts["energy"])) is not None:
            energies = _asked(plan, "energy", shape, lambda: energy(torch.zeros(2, *shape)))
            if tuple(energies.shape) != (2,):
                raise PluginError(
                    f"{plan.parts['energy'].component.owner} returned shape {tuple(energies.shape)} for 2 "
                    "examples: an energy gives one number an example, (B,)"
                )


def _of_some_class(part: PartT) -> PartT | None:
    """A part that can be asked without a condition; None where nobody knows one for it."""
    if not isinstance(part, ConditionalEnergy | ConditionalGenerator):
        return part
    return given(part, torch.zeros(1, dtype=torch.int64)) if part.classes else None


def _asked(plan: Plan, table: str, shape: tuple[int, ...], question: Callable[[], Any]) -> Tensor:
    """What a part gives for two examples of the data's shape."""
    try:
        answer = question()
    except EbmkitError:
        raise
    except Exception as error:
        raise _failed(plan, table, shape, error) from error
    if not isinstance(answer, Tensor):
        owner = plan.parts[table].component.owner
        raise PluginError(f"{owner} returned a {type(answer).__name__}, not a tensor")
    return answer


def _failed(plan: Plan, table: str, shape: tuple[int, ...], error: Exception) -> ConfigProblemsError:
    """A part that raised, or the part inside it that did."""
    inside = {each.component: each.component.factory for _, each in plan.parts[table].walk((table,))}
    component = nearest(error, inside) or plan.parts[table].component
    place = place_in(error, component.factory)
    what = f"{type(error).__name__}: {shortened(str(error), _LONGEST)}"
    message = f"{component.owner} fails on examples of shape {shape}, as the data have them: {what}"
    where = f"raised at {place}" if place else f"its class is at {defined_at(component.factory)}"
    problem = plan.document.problem("E109", message, (table,), helps=[where, DEBUG])
    problems = ConfigProblemsError([problem], file=plan.document.file)
    if not isinstance(error, ValueError):
        problems.exit_code = PluginError.exit_code
    return problems
