"""Whether the parts of a run file fit together: each gets what it asks for, and none is there for nothing."""

from __future__ import annotations

from collections.abc import Mapping

from ebmkit.config import EvaluationTable, GuardTable, Reader, Signature, header
from ebmkit.config.faults import OutOfRangeError
from ebmkit.config.parts import Part, key_of
from ebmkit.config.search import Found, owner_of
from ebmkit.config.sized import features_called
from ebmkit.config.slots import BESIDE, INJECTED, Slot, Slots
from ebmkit.parameters.signature import REQUIRED
from ebmkit.registry.discovery import Registry, UnknownComponentError

__all__ = ["check_easing", "check_named", "check_wiring"]


def check_wiring(reader: Reader, slots: Slots, found: Mapping[str, Found], parts: Mapping[str, Part]) -> None:
    """Every part the components ask for has a table, and every table belongs to a component."""
    wanted: set[str] = set()
    for key, part in (each for name, top in parts.items() for each in top.walk(key_of(name))):
        owner = owner_of(part.component)
        for slot in part.component.signature.parts:
            asked = slots.get(slot.name)
            if asked is not None or slot.name in INJECTED or not slot.required:
                wanted.add(slot.name)
            if slot.required and asked is not None and not _is_there(reader, slot.name, asked):
                place = header((slot.name, "NAME") if asked.many else (slot.name,))
                message = f"{owner} needs the part {slot.name!r}: add a table {place}"
                reader.report("E106", message, (*key, "use"), value=True)
    schedule = parts.get("schedule")
    for name in {key_of(name)[0] for name in found} - wanted - {*BESIDE, "schedule"}:
        if schedule is not None:
            message = (
                f"scheduler {schedule.component.name!r} takes no part {name!r}: remove the table [{name}]"
            )
            taken = f"it takes: {', '.join(_taken(schedule, slots))}"
            reader.report("E108", message, (name,), helps=[taken, f"--unset {name} leaves it out for once"])


def _is_there(reader: Reader, name: str, slot: Slot) -> bool:
    """Whether the file has a table for a slot: of several parts one at least."""
    return bool(reader.document.data.get(name)) if slot.many else name in reader.document.data


def check_easing(
    reader: Reader, guard: GuardTable, found: Mapping[str, Found], parts: Mapping[str, Part]
) -> None:
    """A step can be made smaller only where there is one; for an unknown sampler that cannot be decided."""
    if guard.step_factor == 1 or ("revision" in found and "revision" not in parts):
        return
    if "revision" not in parts or "step_size" not in parts["revision"].values:
        message = "'step_factor' needs a [revision] whose sampler has a step_size"
        reader.report("E108", message, ("guard", "step_factor"))


def check_named(reader: Reader, registry: Registry, evaluation: EvaluationTable) -> None:
    """What ``[evaluation]`` names is installed."""
    for name in evaluation.metrics:
        try:
            registry.find("metric", name)
        except UnknownComponentError as error:
            _report_unknown(reader, error, "metrics")
    try:
        _check_weights(reader, registry, evaluation)
    except UnknownComponentError as error:
        _report_unknown(reader, error, "features")
    except OutOfRangeError as error:
        message = f"the size in {evaluation.features!r} {error}"
        reader.report("E105", message, ("evaluation", "features"), value=True)


def _check_weights(reader: Reader, registry: Registry, evaluation: EvaluationTable) -> None:
    """A file of weights is named where the features want one, and nowhere else.

    Raises:
        UnknownComponentError, OutOfRangeError: there are no features of that name.
    """
    name, wanted = evaluation.features, None
    if name != "auto":
        wanted = features_called(name, registry)[0].signature.parameter("weights")
    if wanted is None and evaluation.weights:
        message = f"the features {name!r} take no weights: remove the key, or choose the features they are of"
        reader.report("E103", message, ("evaluation", "weights"))
    elif wanted is not None and wanted.default is REQUIRED and not evaluation.weights:
        helps = [f'weights = "PATH" in [evaluation]: {wanted.doc}', "--set evaluation.weights=PATH for once"]
        message = f"missing key 'weights' for features {name!r}"
        reader.report("E106", message, ("evaluation", "features"), value=True, helps=helps)


def _report_unknown(reader: Reader, error: UnknownComponentError, key: str) -> None:
    label = f"did you mean {error.suggestion!r}?" if error.suggestion else ""
    reader.report("E107", error.message, ("evaluation", key), value=True, label=label)


def _taken(schedule: Part, slots: Slots) -> list[str]:
    signature: Signature = schedule.component.signature
    return [slot.name for slot in signature.parts if slot.name in slots]
