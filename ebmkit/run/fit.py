"""Whether the parts of a run fit its data: what they do with two examples of that shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor

from ebmkit.config import ConfigProblemsError, Key
from ebmkit.config.plan import Plan, key_of
from ebmkit.core import ConditionalEnergy, ConditionalGenerator, Gaussian, Rng, given
from ebmkit.errors import EbmkitError, PluginError
from ebmkit.messages.blame import defined_at, nearest, place_in
from ebmkit.messages.quoting import shortened

__all__ = ["DEBUG", "LONGEST", "check_shapes", "part_shapes", "refused"]

AnswerT = TypeVar("AnswerT")

DEBUG = "EBMKIT_DEBUG=1 shows the traceback"

LONGEST = 500
"""Characters of a message that a part wrote: it may repeat a value of any length."""


def refused(plan: Plan, key: Key, message: str) -> ConfigProblemsError:
    """What a part does not take, placed at its table."""
    document = plan.document
    return ConfigProblemsError([document.problem("E109", message, key)], file=document.file)


def check_shapes(
    plan: Plan,
    parts: Mapping[str, Any],
    shape: tuple[int, ...],
    shapes: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
) -> None:
    """A generator gives examples of the data's shape, energies and encoders take them, in every slot.

    Args:
        plan: whose document has the places.
        parts: built, by the names of their tables; of a table that holds several, by name inside it.
        shape: of an example of the data.
        shapes: of the examples of parts, by ``grids.16``, where they are not the data's.

    Raises:
        ConfigProblemsError: one does not, placed at its table; with a plugin error's exit code where it
            raised something else than a ValueError, by which parts refuse what they do not take.
        PluginError: an energy gave something else than one number an example, an encoder than a Gaussian.
    """
    latents: dict[str, tuple[int, ...]] = {}
    with torch.no_grad():
        for name, part in plan.parts.items():
            check = _CHECKS.get(part.component.kind)
            built = _of_some_class(_built(parts, name)) if check is not None else None
            if check is not None and built is not None:
                latents[name] = check(plan, name, built, shapes.get(name, shape))
    found, taken = latents.get("encoder"), latents.get("generator")
    if found != taken and found is not None and taken is not None:
        message = f"it gives latents of shape {found}, the generator takes {taken}"
        raise refused(plan, ("encoder",), message)


def _built(parts: Mapping[str, Any], name: str) -> Any:
    table, *inside = key_of(name)
    return parts[table][inside[0]] if inside else parts[table]


def _of_some_class(part: Any) -> Any:
    """A part that can be asked without a condition; None where none is known."""
    if not isinstance(part, ConditionalEnergy | ConditionalGenerator):
        return part
    return given(part, torch.zeros(1, dtype=torch.int64)) if part.classes else None


def _check_energy(plan: Plan, name: str, energy: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    energies = _asked(plan, name, shape, lambda: energy(torch.zeros(2, *shape)), Tensor)
    if tuple(energies.shape) != (2,):
        raise PluginError(
            f"{plan.parts[name].component.owner} returned shape {tuple(energies.shape)} for 2 "
            "examples: an energy gives one number an example, (B,)"
        )
    return ()


def _check_generator(plan: Plan, name: str, generator: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    generator.eval()
    examples = _asked(plan, name, shape, lambda: generator(generator.prior(2, rng=Rng(0))), Tensor)
    generator.train()
    if (made := tuple(examples.shape[1:])) != shape:
        raise refused(plan, key_of(name), f"it makes examples of shape {made}, the data have {shape}")
    return tuple(generator.latent_shape)


def _check_encoder(plan: Plan, name: str, encoder: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    encoder.eval()
    law = _asked(plan, name, shape, lambda: encoder(torch.zeros(2, *shape)), Gaussian)
    encoder.train()
    if law.mean.shape != law.log_std.shape or len(law.mean) != 2:  # noqa: PLR2004 - two were given
        raise PluginError(
            f"{plan.parts[name].component.owner} returned mean {tuple(law.mean.shape)} and log_std "
            f"{tuple(law.log_std.shape)} for 2 examples: an encoder gives both as (B, *L)"
        )
    return tuple(law.mean.shape[1:])


_CHECKS: Mapping[str, Callable[[Plan, str, Any, tuple[int, ...]], tuple[int, ...]]] = {
    "energy": _check_energy,
    "generator": _check_generator,
    "encoder": _check_encoder,
}
"""By the kind of part; each gives the shape of the latents that a part takes or gives."""


def _asked(
    plan: Plan, name: str, shape: tuple[int, ...], question: Callable[[], Any], wanted: type[AnswerT]
) -> AnswerT:
    """What a part gives for two examples of a shape."""
    try:
        answer = question()
    except EbmkitError:
        raise
    except Exception as error:
        raise _failed(plan, name, shape, error) from error
    if not isinstance(answer, wanted):
        noun = "a tensor" if wanted is Tensor else f"a {wanted.__name__}"
        raise PluginError(
            f"{plan.parts[name].component.owner} returned a {type(answer).__name__}, not {noun}"
        )
    return answer


def _failed(plan: Plan, name: str, shape: tuple[int, ...], error: Exception) -> ConfigProblemsError:
    """A part that raised, or the part inside it that did."""
    inside = {each.component: each.component.factory for _, each in plan.parts[name].walk(key_of(name))}
    component = nearest(error, inside) or plan.parts[name].component
    place = place_in(error, component.factory)
    what = f"{type(error).__name__}: {shortened(str(error), LONGEST)}"
    message = f"{component.owner} fails on examples of shape {shape}, as the data have them: {what}"
    where = f"raised at {place}" if place else f"its class is at {defined_at(component.factory)}"
    problem = plan.document.problem("E109", message, key_of(name), helps=[where, DEBUG])
    problems = ConfigProblemsError([problem], file=plan.document.file)
    if not isinstance(error, ValueError):
        problems.exit_code = PluginError.exit_code
    return problems


def part_shapes(plan: Plan, shape: tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
    """The shapes of examples that the schedule's parts are built for, where they are not the data's.

    Args:
        plan: of the run.
        shape: of the data.

    Raises:
        ConfigProblemsError: the schedule refuses the parts, placed at its table.
    """
    schedule: Any = plan.parts["schedule"].component
    names = [name for name in plan.parts if name not in ("data", "schedule")]
    try:
        shapes: Mapping[str, tuple[int, ...]] = schedule.factory.shapes(shape, names)
    except ValueError as error:
        told = f"{schedule.owner} refuses these parts: {shortened(str(error), LONGEST)}"
        raise refused(plan, ("schedule",), told) from error
    return shapes
