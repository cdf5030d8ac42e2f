"""Parts that a program built by hand, told as a plan: what a run file would say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import torch
from torch import nn

from ebmkit.config import Document, GuardTable, RunTable, signature_of
from ebmkit.config.plan import Part, Plan
from ebmkit.config.tables import EvaluationTable
from ebmkit.core import Chain, CooperativeScheduler, Optimizer, Source
from ebmkit.errors import ConfigError, EbmkitError
from ebmkit.messages.spelling import did_you_mean
from ebmkit.parameters.signature import lineage_of
from ebmkit.registry.discovery import Component, Plugin, Registry
from ebmkit.registry.kinds import KINDS
from ebmkit.run.build import build_schedule
from ebmkit.run.opening import PROGRAM

__all__ = ["plan_of"]

_DOCUMENT = Document("this program", "", {}, {}, {})


def plan_of(
    schedule: CooperativeScheduler,
    source: Source,
    registry: Registry,
    *,
    run: RunTable,
    guard: GuardTable,
    evaluation: EvaluationTable,
    data: Mapping[str, Any],
    optimizers: Mapping[str, Optimizer],
) -> Plan:
    """The plan of parts that are there.

    A part of a class that a plugin offers is described by name and keywords, and the plan is a run file's,
    if what such a file builds is like the part: another program can open the run. Every other part has
    ``use = "program:module.Class"``.

    Args:
        schedule: with its parts.
        source: the data.
        registry: the parts that run files can name.
        run: the ``[run]`` table.
        guard: the ``[guard]`` table.
        evaluation: the ``[evaluation]`` table.
        data: the keys of ``[data]`` that all sources share.
        optimizers: by the name of the part; a part with weights that is not among them gets Adam.

    Raises:
        ConfigError: an optimizer for a part that is not there.
    """
    held = dict(_held(schedule))
    _refuse_unknown(optimizers, held)
    parts = {"data": _told(registry, "source", source, shared=data)}
    for name, part in held.items():
        learns = isinstance(part, nn.Module) and any(each.requires_grad for each in part.parameters())
        optimizer = optimizers.get(name) or _adam(registry) if learns else None
        parts[name] = _told(registry, _kind_of(part), part, optimizer=optimizer)
    parts["schedule"] = _told(registry, "scheduler", schedule)
    plan = Plan(_DOCUMENT, run, guard, evaluation, parts)
    return plan if _is_own(plan) else _without_unlike(plan, schedule, source)


def _held(schedule: CooperativeScheduler) -> Iterator[tuple[str, object]]:
    """The parts of a schedule by the names of their tables: ``energy``, ``grids.16``."""
    for slot in signature_of(type(schedule)).parts:
        part = getattr(schedule, slot.name, None)
        if isinstance(part, nn.ModuleDict):
            yield from ((f"{slot.name}.{name}", each) for name, each in part.items())
        elif isinstance(part, nn.Module | Chain):
            yield slot.name, part


def _refuse_unknown(optimizers: Mapping[str, Optimizer], held: Mapping[str, object]) -> None:
    for name in optimizers.keys() - held.keys():
        hint = did_you_mean(name, held)
        message = f"an optimizer for {name!r}, but the schedule has {', '.join(held) or 'no parts'}"
        raise ConfigError(message + (f"; {hint}" if hint else ""))


def _adam(registry: Registry) -> Optimizer:
    """What learns where nothing else is said."""
    made: Optimizer = registry.find("optimizer", "adam").factory()
    return made


def _kind_of(part: object) -> str:
    made = type(part.sampler) if isinstance(part, Chain) else type(part)
    line = lineage_of(made)
    return next((kind.name for kind in KINDS.values() if kind.base in line), "energy")


def _told(
    registry: Registry,
    kind: str,
    part: Any,
    *,
    shared: Mapping[str, Any] | None = None,
    optimizer: Optimizer | None = None,
) -> Part:
    """A part as a run file names it, or as the program's own."""
    if isinstance(part, Chain):
        shared, part = {"steps": part.steps, "graph": part.graph}, part.sampler
    made = type(part)
    place = f"{made.__module__}.{made.__qualname__}"
    component = next((each for each in registry.components(kind) if each.place == place), None)
    learning = {} if optimizer is None else {"optimizer": _told(registry, "optimizer", optimizer)}
    if component is None or not _is_of_a_shape(component, kind):
        return _own(kind, part, shared or {}, learning)
    values = {each.name: _value(part, each.name, each.default) for each in component.signature.parameters}
    return Part(component.name, component, values, shared or {}, learning=learning)


def _is_of_a_shape(component: Component, kind: str) -> bool:
    """Whether it takes nothing but what the data say; a schedule takes parts, each described itself."""
    injected = {"shape", "examples", "classes"}
    return kind == "scheduler" or all(slot.name in injected for slot in component.signature.parts)


def _value(part: Any, name: str, default: Any) -> Any:
    """What a keyword of a part was: remembered by its constructor, or an attribute of an attrs class."""
    if "built_with" in getattr(part, "__dict__", {}):
        return part.built_with.get(name, default)
    return getattr(part, name, default)


def _own(kind: str, part: Any, shared: Mapping[str, Any], learning: Mapping[str, Part]) -> Part:
    """A part that only the program knows how to build, with what is known of it."""
    made = type(part)
    place = f"{made.__module__}.{made.__qualname__}"
    component = Component(kind, made.__qualname__, made, Plugin("program", "this program", "-"))
    values: Mapping[str, Any] = {}
    if kind == "optimizer":  # built from this again after a divergence
        values = attrs.asdict(part, recurse=False)
    elif kind != "source":  # whose fingerprint tells data apart
        known = getattr(part, "built_with", {})
        values = {name: value for name, value in known.items() if isinstance(value, bool | int | float | str)}
    return Part(PROGRAM + place, component, values, shared, learning=learning)


def _is_own(plan: Plan) -> bool:
    """Whether a program has to hand in a part anyway, beside the data."""
    return any(part.use.startswith(PROGRAM) for name, part in plan.parts.items() if name != "data")


def _without_unlike(plan: Plan, schedule: CooperativeScheduler, source: Source) -> Plan:
    """The plan, if a schedule built from it is like this one; if not, with parts of the program's own.

    Someone may have changed a part after it was built, or given it arguments that no run file has.
    """
    counts = {"examples": len(source), "classes": len(source.classes)}
    try:
        copy = build_schedule(plan, shape=source.shape, device=torch.device("cpu"), **counts)
    except EbmkitError:
        copy = None
    if copy is not None and _described(copy) == _described(schedule):
        return plan
    chains = {"revision": schedule.revision, "inference": schedule.inference}
    parts = {}
    for name, part in plan.parts.items():
        if name == "data" or name in chains:
            parts[name] = part
            continue
        module = schedule if name == "schedule" else schedule.get_submodule(name)
        parts[name] = _own(part.component.kind, module, part.shared, part.learning)
    return attrs.evolve(plan, parts=parts)


def _described(schedule: CooperativeScheduler) -> object:
    """All about a schedule but its numbers."""
    plain = (bool, int, float, str, tuple)
    attributes = [
        (name, type(module), {key: value for key, value in vars(module).items() if isinstance(value, plain)})
        for name, module in schedule.named_modules()
    ]
    shapes = {name: (value.shape, value.dtype) for name, value in schedule.state_dict().items()}
    return attributes, shapes, repr(schedule), schedule.revision, schedule.inference
